import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { PLAIN } from '@/text/terminal.ts'

import { contrast, luminance, paintOf, readable, rgbOf } from './colours.ts'

type Rgb = readonly [number, number, number]

// The backgrounds of rows: Codex's tokens in both themes.
const LIGHT_BACKGROUNDS: Rgb[] = [
  [0xff, 0xff, 0xff],
  [0xf8, 0xf9, 0xfa],
  [0xe8, 0xee, 0xff],
  [0xfd, 0xf2, 0xd5],
]
const DARK_BACKGROUNDS: Rgb[] = [
  [0x10, 0x14, 0x18],
  [0x20, 0x21, 0x22],
  [0x1b, 0x22, 0x3d],
  [0x2d, 0x22, 0x12],
]

const byte = fc.integer({ min: 0, max: 255 })
const rgb = fc.tuple(byte, byte, byte)
const palette = Array.from({ length: 256 }, (_, colour) => colour)

const parsed = (css: string | undefined): Rgb => {
  const [red = NaN, green = NaN, blue = NaN] = (css ?? '').match(/\d+/g)?.map(Number) ?? []
  return [red, green, blue]
}
const between = (one: Rgb, other: Rgb): number => contrast(luminance(one), luminance(other))

describe('the palette', () => {
  test.each([
    [1, [205, 0, 0]],
    [16, [0, 0, 0]],
    [21, [0, 0, 255]],
    [208, [255, 135, 0]],
    [231, [255, 255, 255]],
    [232, [8, 8, 8]],
    [255, [238, 238, 238]],
  ] as const)('%d', (colour, expected) => {
    expect(rgbOf(colour)).toEqual(expected)
  })
})

describe('text', () => {
  const isReadable = (colour: Parameters<typeof rgbOf>[0]): void => {
    const { properties } = paintOf({ ...PLAIN, colour })
    for (const background of LIGHT_BACKGROUNDS) {
      expect(between(parsed(properties['--log-on-light']), background), String(colour)).toBeGreaterThanOrEqual(4.5)
    }
    for (const background of DARK_BACKGROUNDS) {
      expect(between(parsed(properties['--log-on-dark']), background), String(colour)).toBeGreaterThanOrEqual(4.5)
    }
  }

  test('in each of the 256 colours can be read in both themes', () => palette.forEach(isReadable))

  test('in any colour can be read in both themes', () => fc.assert(fc.property(rgb, isReadable)))

  test('can be read on any background', () => {
    fc.assert(
      fc.property(fc.option(rgb), rgb, fc.boolean(), (colour, background, inverse) => {
        const style = inverse
          ? { ...PLAIN, inverse, colour: background, background: colour }
          : { ...PLAIN, colour, background }
        const { properties } = paintOf(style)
        expect(parsed(properties['--log-filling'])).toEqual(background)
        expect(between(parsed(properties['--log-colour']), background)).toBeGreaterThanOrEqual(4.5)
      }),
    )
  })

  test('keeps a colour that can be read as it is', () => {
    expect(readable([100, 0, 0], 1)).toEqual([100, 0, 0])
    expect(readable([255, 255, 0], 0)).toEqual([255, 255, 0])
  })

  test('keeps its hue', () => {
    const [red, green, blue] = readable([255, 255, 0], 1)
    expect(red).toBe(green)
    expect(blue).toBe(0)
  })
})
