/** A colour: one of the 256 of a terminal's palette, or its red, green and blue, each from 0 to 255. */
export type Colour = number | readonly [number, number, number]

/** How a text looks: the attributes of ECMA-48, section 8.3.117 (SGR), that a page can show. */
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

/** A text of one look. */
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

/** What a terminal does not show as it is: control characters, but for the line feed and the tab. */
// eslint-disable-next-line no-control-regex
const CONTROL = /[\0-\x08\x0b-\x1f\x7f-\x9f]/g

/** Longer ones are no sequences that anybody needs: they are dropped, too, without being kept. */
const LONGEST_SEQUENCE = 256

/**
 * Where the scanner is: in the text, behind an ESC, in the intermediate bytes of a short sequence, in the parameters of
 * a control sequence (CSI), in a control string (OSC and the like), or behind an ESC there, which may be half its end.
 */
type Place = 'text' | 'escape' | 'intermediate' | 'control' | 'string' | 'string-escape'

/**
 * Makes spans of what a program printed for a terminal.
 *
 * It takes the text in pieces that may end anywhere, also within a sequence. Sequences that set a look are obeyed, and
 * all others dropped; other control characters become their pictures. Whatever comes, the text between is kept.
 */
export class Scanner {
  #place: Place = 'text'
  #style = PLAIN
  /** The parameters of a control sequence so far. */
  #parameters = ''
  /** There was a carriage return, which is shown unless the line ends with it. */
  #isReturned = false

  scan(piece: string): Span[] {
    const spans: Span[] = []
    let at = 0
    while (at < piece.length) {
      at = this.#place === 'text' ? this.#text(piece, at, spans) : this.#sequence(piece, at)
    }
    return spans
  }

  /** Takes text up to the next control character, and that. Returns where to go on. */
  #text(piece: string, at: number, spans: Span[]): number {
    if (this.#isReturned) {
      this.#isReturned = false
      if (piece[at] !== '\n' && piece[at] !== '\r') {
        append(spans, '␍', this.#style)
      }
    }
    CONTROL.lastIndex = at
    const end = CONTROL.exec(piece)?.index ?? piece.length
    if (end > at) {
      append(spans, piece.slice(at, end), this.#style)
    }
    if (end < piece.length) {
      this.#control(piece.charCodeAt(end), spans)
    }
    return end + 1
  }

  #control(code: number, spans: Span[]): void {
    switch (code) {
      case 0x07:
        return
      case 0x0d:
        this.#isReturned = true
        return
      case 0x1b:
        this.#place = 'escape'
        return
      case 0x9b:
        this.#begin('control')
        return
      case 0x90:
      case 0x98:
      case 0x9d:
      case 0x9e:
      case 0x9f:
        this.#begin('string')
        return
    }
    if (code < 0x20) {
      append(spans, String.fromCharCode(0x2400 + code), this.#style)
    } else if (code === 0x7f) {
      append(spans, '␡', this.#style)
    }
  }

  #begin(place: Place): void {
    this.#place = place
    this.#parameters = ''
  }

  /** Takes a character of a sequence. Returns where to go on: at the same one, if it does not belong to it. */
  #sequence(piece: string, at: number): number {
    const code = piece.charCodeAt(at)
    switch (this.#place) {
      case 'escape':
        return this.#escape(code) ? at + 1 : at
      case 'intermediate':
        if (code >= 0x20 && code <= 0x2f) {
          return at + 1
        }
        this.#place = 'text'
        return code >= 0x30 && code <= 0x7e ? at + 1 : at
      case 'control':
        return this.#parameter(code) ? at + 1 : at
      case 'string':
        return this.#string(code) ? at + 1 : at
      default:
        // Behind an ESC in a string: with a backslash it was its end, and else the beginning of another sequence.
        this.#place = code === 0x5c ? 'text' : 'escape'
        return code === 0x5c ? at + 1 : at
    }
  }

  #escape(code: number): boolean {
    if (code === 0x5b) {
      this.#begin('control')
    } else if ([0x50, 0x58, 0x5d, 0x5e, 0x5f].includes(code)) {
      this.#begin('string')
    } else if (code >= 0x20 && code <= 0x2f) {
      this.#place = 'intermediate'
    } else {
      this.#place = 'text'
      return code >= 0x30 && code <= 0x7e
    }
    return true
  }

  #parameter(code: number): boolean {
    if (code >= 0x20 && code <= 0x3f) {
      if (this.#parameters.length <= LONGEST_SEQUENCE) {
        this.#parameters += String.fromCharCode(code)
      }
      return true
    }
    this.#place = 'text'
    if (code === 0x6d && /^[\d;:]*$/.test(this.#parameters) && this.#parameters.length <= LONGEST_SEQUENCE) {
      this.#style = restyled(this.#style, this.#parameters)
    }
    return code >= 0x40 && code <= 0x7e
  }

  /** A control string ends with BEL or ST. One that nobody ended is over with its line. */
  #string(code: number): boolean {
    if (code === 0x0a) {
      this.#place = 'text'
      return false
    }
    if (code === 0x07 || code === 0x9c) {
      this.#place = 'text'
    } else if (code === 0x1b) {
      this.#place = 'string-escape'
    }
    return true
  }
}

function append(spans: Span[], text: string, style: Style): void {
  const last = spans.at(-1)
  if (last?.style === style) {
    last.text += text
  } else {
    spans.push({ text, style })
  }
}

/** A text as a terminal would show it, without its looks. */
export function plainText(text: string): string {
  return new Scanner()
    .scan(text)
    .map((span) => span.text)
    .join('')
}

/** What each code switches. Those of colours are dealt with apart. */
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
      // ISO 8613-6 separates the parts of a colour by colons; what most programs print has semicolons.
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

/** `5;n` or `2;r;g;b`, and how many parameters that were. With colons there may be an empty part for the colour space. */
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
