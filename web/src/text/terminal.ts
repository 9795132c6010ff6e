/** A colour: one of the 256 of a terminal's palette, or its red, green and blue, each from 0 to 255. */
export type Colour = number | readonly [number, number, number]

/** The style of a text: the attributes of ECMA-48, section 8.3.117 (SGR), that a page can show. */
export interface Style {
  readonly colour: Colour | null
  readonly background: Colour | null
  readonly bold: boolean
  readonly dim: boolean
  readonly italic: boolean
  readonly underline: boolean
  readonly inverse: boolean
  readonly strike: boolean
}

/** A text in one style. */
export interface Span {
  text: string
  style: Style
}

export const PLAIN: Style = Object.freeze({
  colour: null,
  background: null,
  bold: false,
  dim: false,
  italic: false,
  underline: false,
  inverse: false,
  strike: false,
})

/**
 * Everything that a terminal does not print as it is: control sequences (ECMA-48, section 5.4) and control strings
 * (section 5.6) in their 7-bit form, and control characters, except for the line feed and the tab.
 *
 * Only complete sequences match. U+0080 to U+009F never start a sequence: in UTF-8 they come from wrongly decoded text,
 * and obeying them would hide the words after them.
 */
const CONTROL = new RegExp(
  [
    // A control sequence: parameters, and what it does.
    String.raw`\x1b\[(?<parameters>[ -?]{0,256})(?<final>[@-~])`,
    // A control string, up to its end in the same line: titles, links and other invisible content.
    String.raw`\x1b[P\]X^_][^\x07\x1b\n]*(?:\x07|\x1b\\)`,
    // A character set; the cursor kept, moved or put back; keypad modes.
    String.raw`\x1b[()*+][0-~]|\x1b#[3-8]|\x1b%[@G]|\x1b[\d<=>DEHMNOZc\\no|}~]`,
    // A carriage return that ends the line, and the bell.
    String.raw`\r+(?=\n|$)|\x07`,
    String.raw`(?<other>[\0-\x08\x0b-\x1f\x7f-\x9f])`,
  ].join('|'),
  'g',
)

/**
 * Splits the output of a program for a terminal into spans.
 *
 * Sequences that set a style are obeyed, and other complete sequences are dropped. Everything else is shown: control
 * characters as their pictures, and incomplete sequences as text.
 */
export function scan(text: string): Span[] {
  const spans: Span[] = []
  let style = PLAIN
  let at = 0
  for (const { index, 0: found, groups = {} } of text.matchAll(CONTROL)) {
    append(spans, text.slice(at, index), style)
    at = index + found.length
    const { parameters, final, other } = groups
    if (other !== undefined) {
      append(spans, picture(other.charCodeAt(0)), style)
    } else if (final === 'm' && parameters !== undefined && /^[\d;:]*$/.test(parameters)) {
      style = restyled(style, parameters)
    }
  }
  append(spans, text.slice(at), style)
  return spans
}

/** The picture of a control character: `␛`, or `<9b>` for those without a picture in Unicode. */
function picture(code: number): string {
  if (code < 0x20) {
    return String.fromCharCode(0x2400 + code)
  }
  return code === 0x7f ? '␡' : `<${code.toString(16)}>`
}

function append(spans: Span[], text: string, style: Style): void {
  if (text === '') {
    return
  }
  const last = spans.at(-1)
  if (last?.style === style) {
    last.text += text
  } else {
    spans.push({ text, style })
  }
}

/** A text as a terminal would show it, without styles. */
export function plainText(text: string): string {
  return scan(text)
    .map((span) => span.text)
    .join('')
}

/** What each code changes. Colours are handled separately. */
const SWITCHES: Readonly<Record<number, Partial<Style>>> = {
  0: PLAIN,
  1: { bold: true },
  2: { dim: true },
  3: { italic: true },
  4: { underline: true },
  7: { inverse: true },
  9: { strike: true },
  21: { underline: true },
  22: { bold: false, dim: false },
  23: { italic: false },
  24: { underline: false },
  27: { inverse: false },
  29: { strike: false },
  39: { colour: null },
  49: { background: null },
}

/** The style after an SGR sequence with these parameters. */
function restyled(style: Style, parameters: string): Style {
  const all = parameters.split(';')
  let changed = style
  for (let at = 0; at < all.length; at += 1) {
    const [code = 0, ...parts] = (all[at] ?? '').split(':').map(Number)
    if (code === 38 || code === 48 || code === 58) {
      // ISO 8613-6 separates the parts of a colour by colons; most programs print semicolons.
      const isColoned = parts.length > 0
      const rest = isColoned ? parts : all.slice(at + 1, at + 5).map(Number)
      const { colour, taken } = extendedColour(rest, isColoned)
      at += isColoned ? 0 : taken
      if (colour !== null && code !== 58) {
        changed = { ...changed, [code === 38 ? 'colour' : 'background']: colour }
      }
    } else if (code === 4 && parts.length > 0) {
      changed = { ...changed, underline: parts[0] !== 0 }
    } else {
      changed = { ...changed, ...(SWITCHES[code] ?? basicColour(code)) }
    }
  }
  return sameStyle(changed, PLAIN) ? PLAIN : sameStyle(changed, style) ? style : changed
}

/** The sixteen colours that have codes of their own. */
function basicColour(code: number): Partial<Style> {
  const ranges: [number, keyof Style, number][] = [
    [30, 'colour', 0],
    [40, 'background', 0],
    [90, 'colour', 8],
    [100, 'background', 8],
  ]
  for (const [first, what, colour] of ranges) {
    if (code >= first && code < first + 8) {
      return { [what]: colour + code - first }
    }
  }
  return {}
}

/**
 * Reads `5;n` or `2;r;g;b`, and returns how many parameters it took. With colons there may be an empty part for the
 * colour space.
 */
function extendedColour(parts: number[], isColoned: boolean): { colour: Colour | null; taken: number } {
  const isByte = (value: number | undefined): value is number =>
    value !== undefined && Number.isInteger(value) && value <= 255
  if (parts[0] === 5) {
    return { colour: isByte(parts[1]) ? parts[1] : null, taken: 2 }
  }
  if (parts[0] === 2) {
    const [red, green, blue] = isColoned && parts.length > 4 ? parts.slice(2) : parts.slice(1)
    return { colour: isByte(red) && isByte(green) && isByte(blue) ? [red, green, blue] : null, taken: 4 }
  }
  return { colour: null, taken: 1 }
}

/** Whether two styles look the same. */
export function sameStyle(one: Style, other: Style): boolean {
  return (Object.keys(PLAIN) as (keyof Style)[]).every((key) => String(one[key]) === String(other[key]))
}
