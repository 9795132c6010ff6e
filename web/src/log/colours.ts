import type { Colour, Style } from '@/text/terminal.ts'

type Rgb = readonly [number, number, number]

/** The contrast that WCAG 2.2 requires for text, criterion 1.4.3; slightly more, because colours are rounded. */
const CONTRAST = 4.55

/**
 * The relative luminance of the backgrounds of rows: of the darkest one in the light theme, and the lightest one in the
 * dark theme. They are Codex's tokens that LogRow uses; matches have their own colour.
 */
const LIGHT = luminance([0xe8, 0xee, 0xff])
const DARK = luminance([0x2d, 0x22, 0x12])

/** Half way between black and white for the eye: text is darker on lighter backgrounds, and lighter on darker ones. */
const MIDDLE = Math.sqrt(1.05 * 0.05) - 0.05

const BLACK: Rgb = [0, 0, 0]
const WHITE: Rgb = [255, 255, 255]

// The sixteen colours of xterm. `readable` adapts them to the theme.
const BASIC: readonly Rgb[] = [
  [0, 0, 0],
  [205, 0, 0],
  [0, 205, 0],
  [205, 205, 0],
  [0, 0, 238],
  [205, 0, 205],
  [0, 205, 205],
  [229, 229, 229],
  [127, 127, 127],
  [255, 0, 0],
  [0, 255, 0],
  [255, 255, 0],
  [92, 92, 255],
  [255, 0, 255],
  [0, 255, 255],
  [255, 255, 255],
]

/** The shades of red, green and blue in the following cube of 6 × 6 × 6 colours. */
const SHADES = [0, 95, 135, 175, 215, 255] as const

/** Red, green and blue of a colour, from 0 to 255. */
export function rgbOf(colour: Colour): Rgb {
  if (typeof colour !== 'number') {
    return colour
  }
  const basic = BASIC[colour]
  if (basic) {
    return basic
  }
  if (colour >= 232) {
    const grey = 8 + 10 * (colour - 232)
    return [grey, grey, grey]
  }
  const shade = (step: number): number => SHADES[Math.floor((colour - 16) / step) % 6] ?? 0
  return [shade(36), shade(6), shade(1)]
}

/** The amount of light of a component, from 0 to 1: the inverse of the transfer function of IEC 61966-2-1 (sRGB). */
function linear(component: number): number {
  const value = component / 255
  return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4
}

function component(light: number): number {
  const value = light <= 0.0031308 ? light * 12.92 : 1.055 * light ** (1 / 2.4) - 0.055
  return Math.round(255 * Math.min(1, Math.max(0, value)))
}

/** The relative luminance of WCAG 2.2, from 0 (black) to 1 (white). */
export function luminance([red, green, blue]: Rgb): number {
  return 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)
}

/** The contrast of WCAG 2.2 between two luminances, from 1 to 21. */
export function contrast(one: number, other: number): number {
  return (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05)
}

/**
 * The nearest colour in which text is readable on a background of this luminance.
 *
 * The hue stays: for light backgrounds the light is reduced, and for dark ones white is added.
 */
export function readable(rgb: Rgb, background: number): Rgb {
  const own = luminance(rgb)
  const light = rgb.map(linear)
  let wanted: number[]
  if (background > MIDDLE) {
    const most = (background + 0.05) / CONTRAST - 0.05
    wanted = own <= most ? light : light.map((value) => (value * most) / own)
  } else {
    const least = (background + 0.05) * CONTRAST - 0.05
    wanted = own >= least ? light : light.map((value) => value + ((1 - value) * (least - own)) / (1 - own))
  }
  const [red = 0, green = 0, blue = 0] = wanted.map(component)
  return [red, green, blue]
}

function css(rgb: Rgb): string {
  return `rgb(${rgb.join(' ')})`
}

/** The classes of a style, and its colours as custom properties. */
export interface Paint {
  classes: string[]
  properties: Record<string, string>
}

/** The paint of a style. The classes are in log-text.less. */
export function paintOf(style: Style): Paint {
  const classes = (['bold', 'dim', 'italic', 'underline', 'strike'] as const)
    .filter((attribute) => style[attribute])
    .map((attribute) => `log-text--${attribute}`)
  const { colour, background, inverse } = style
  const [front, back] = inverse ? [background, colour] : [colour, background]
  if (back !== null) {
    const filling = rgbOf(back)
    const onto = luminance(filling)
    const text = front !== null ? rgbOf(front) : onto > MIDDLE ? BLACK : WHITE
    const properties = { '--log-filling': css(filling), '--log-colour': css(readable(text, onto)) }
    return { classes: [...classes, 'log-text--filled'], properties }
  }
  if (front !== null) {
    const rgb = rgbOf(front)
    const properties = { '--log-on-light': css(readable(rgb, LIGHT)), '--log-on-dark': css(readable(rgb, DARK)) }
    return { classes: [...classes, inverse ? 'log-text--inverse-coloured' : 'log-text--coloured'], properties }
  }
  return { classes: inverse ? [...classes, 'log-text--inverse'] : classes, properties: {} }
}
