import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { barOf, recordAt } from './scrollbar.ts'

const VIEW = 600
const LINE = 20

/** Records of one line each, of which at most 1000 are loaded. */
const bar = (total: number, from: number, row: number): { height: number; top: number } => {
  const next = Math.min(total + 1, from + 1000)
  const loaded = (next - from) * LINE
  const above = Math.min((row - from) * LINE, Math.max(0, loaded - VIEW))
  return barOf({ view: VIEW, loaded, above, below: Math.max(0, loaded - above - VIEW), from, next, total })
}

describe('the scroll bar', () => {
  test('of a short log is exact', () => {
    expect(bar(100, 1, 11)).toEqual({ height: 2000, top: 200 })
    expect(bar(10, 1, 1)).toEqual({ height: VIEW, top: 0 })
  })

  test('of a very long log is never too high for a browser', () => {
    expect(bar(100_000_000, 50_000_000, 50_000_500).height).toBe(6_000_000)
  })

  test('is at an end exactly when the log is', () => {
    const total = 1_000_000
    expect(bar(total, 1, 1).top).toBe(0)
    expect(bar(total, 1, 6).top).toBe(100)
    const { height, top } = bar(total, total - 999, total)
    expect(top).toBe(height - VIEW)
    expect(bar(total, total - 999, total - 40).top).toBe(height - VIEW - 220)
    for (const row of [501, 1200, 999_000]) {
      const { height, top } = bar(total, row - 500, row)
      expect(top).toBeGreaterThanOrEqual(VIEW)
      expect(top).toBeLessThanOrEqual(height - 2 * VIEW)
    }
  })

  test('leads back to the record that it shows, for all but the last pixels', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 100_000, max: 20_000_000 }),
        fc.double({ min: 0.01, max: 0.99, noNaN: true }),
        (total, part) => {
          const row = Math.round(total * part)
          const { height, top } = bar(total, Math.max(1, row - 500), row)
          expect(Math.abs(recordAt(top, height - VIEW, total) - row)).toBeLessThanOrEqual(2)
        },
      ),
    )
  })
})

test('a record is one of the log, wherever the bar is', () => {
  expect(recordAt(0, 1000, 50)).toBe(1)
  expect(recordAt(1000, 1000, 50)).toBe(50)
  expect(recordAt(0, 0, 50)).toBe(1)
})
