import fc from 'fast-check'
import { expect, test } from 'vitest'

import { qrPath, qrViewBox } from './qr.ts'

/** What a path of rectangles paints, as rows of 0 and 1. */
function painted(path: string, size: number): string[] {
  const grid = Array.from({ length: size }, () => Array.from({ length: size }, () => '0'))
  for (const [, x, y, width] of path.matchAll(/M(\d+) (\d+)h(\d+)v1h-\d+z/gu)) {
    grid[Number(y)]?.fill('1', Number(x), Number(x) + Number(width))
  }
  return grid.map((row) => row.join(''))
}

test('the path paints the dark modules, and nothing else', () => {
  const square = fc.integer({ min: 1, max: 40 }).chain((size) =>
    fc.array(fc.string({ unit: fc.constantFrom('0', '1'), minLength: size, maxLength: size }), {
      minLength: size,
      maxLength: size,
    }),
  )
  fc.assert(
    fc.property(square, (rows) => {
      expect(painted(qrPath(rows), rows.length)).toEqual(rows)
    }),
  )
})

test('the path has one rectangle for each run', () => {
  expect(qrPath(['1101', '0000', '0111', '1000'])).toBe('M0 0h2v1h-2zM3 0h1v1h-1zM1 2h3v1h-3zM0 3h1v1h-1z')
})

test('four modules around it are light', () => {
  expect(qrViewBox(['000', '000', '000'])).toBe('-4 -4 11 11')
})
