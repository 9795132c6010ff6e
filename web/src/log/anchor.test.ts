import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { above, atEnd, below, inView, moved, type Anchor, type Heights } from './anchor.ts'

const VIEW = 600
const heights = fc.array(fc.oneof(fc.constant(20), fc.integer({ min: 0, max: 2000 })), { minLength: 1, maxLength: 200 })
const START: Anchor = { row: 0, offset: 0 }

/** A position in a list. */
const somewhere = fc.tuple(heights, fc.nat(100_000)).map(([all, pixels]) => ({
  heights: all as Heights,
  anchor: moved(all, START, pixels, VIEW),
}))

describe('a place', () => {
  test('that is moved and moved back is the same one, unless there was an end', () => {
    fc.assert(
      fc.property(somewhere, fc.integer({ min: -5000, max: 5000 }), ({ heights, anchor }, by) => {
        fc.pre(above(heights, anchor) + by >= 0 && below(heights, anchor, VIEW) - by >= 0)
        const there = moved(heights, anchor, by, VIEW)
        expect(above(heights, there)).toBe(above(heights, anchor) + by)
        const back = moved(heights, there, -by, VIEW)
        expect(above(heights, back)).toBe(above(heights, anchor))
      }),
    )
  })

  test('is never past an end', () => {
    fc.assert(
      fc.property(somewhere, fc.integer({ min: -1_000_000, max: 1_000_000 }), ({ heights, anchor }, by) => {
        const there = moved(heights, anchor, by, VIEW)
        const total = heights.reduce((all, height) => all + height, 0)
        expect(above(heights, there)).toBeGreaterThanOrEqual(0)
        expect(above(heights, there)).toBeLessThanOrEqual(Math.max(0, total - VIEW))
        expect(there.row).toBeLessThan(heights.length)
      }),
    )
  })

  test('does not move by nothing', () => {
    fc.assert(
      fc.property(somewhere, ({ heights, anchor }) => {
        expect(above(heights, moved(heights, anchor, 0, VIEW))).toBe(above(heights, anchor))
      }),
    )
  })
})

test('at the end the last row ends with the view', () => {
  expect(atEnd([400, 400, 400], VIEW)).toEqual({ row: 1, offset: 200 })
  expect(below([400, 400, 400], { row: 1, offset: 200 }, VIEW)).toBe(0)
  expect(atEnd([20, 20], VIEW)).toEqual(START)
  expect(atEnd([], VIEW)).toEqual(START)
})

test('what is in view covers it, and the margins as far as there is anything', () => {
  fc.assert(
    fc.property(somewhere, fc.nat(1000), ({ heights, anchor }, margin) => {
      const { first, last } = inView(heights, anchor, VIEW, margin)
      const pixels = (rows: Heights): number => rows.reduce((all, height) => all + height, 0)
      expect(first).toBeLessThanOrEqual(anchor.row)
      const over = pixels(heights.slice(first, anchor.row)) + anchor.offset
      expect(first === 0 || over >= margin).toBe(true)
      const under = pixels(heights.slice(anchor.row, last)) - anchor.offset
      expect(last === heights.length || under >= VIEW + margin).toBe(true)
    }),
  )
  expect(inView([20, 20, 20], { row: 1, offset: 0 }, 20, 0)).toEqual({ first: 1, last: 2 })
})
