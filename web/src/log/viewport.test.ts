import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { rowsOf, type Entry, type Row } from './rows.ts'
import { Viewport } from './viewport.ts'

const LINE = 20
const VIEW = 600

const rowsFrom = (from: number, next: number): Row[] =>
  rowsOf(
    Array.from({ length: next - from }, (_, at): Entry => ({
      recno: from + at,
      type: 'line',
      line: `line ${from + at}`,
    })),
  )

/** A viewport over a log of which this much is loaded. */
const viewportOf = (from: number, next: number, total: number): Viewport => {
  const viewport = new Viewport()
  viewport.view = VIEW
  viewport.reset(LINE, Infinity)
  viewport.load({ rows: rowsFrom(from, next), from, next, total, isBroken: false })
  return viewport
}
const load = (viewport: Viewport, from: number, next: number, total: number): void =>
  viewport.load({ rows: rowsFrom(from, next), from, next, total, isBroken: false })

/** The page keeps the position after drawing. */
const drawn = (viewport: Viewport): Viewport => {
  viewport.stay()
  return viewport
}

describe('a view', () => {
  test('begins at the end, and follows it', () => {
    const viewport = viewportOf(1, 101, 100)
    expect(viewport.recordsInView()).toEqual({ first: 71, last: 100 })
    load(drawn(viewport), 1, 201, 200)
    expect(viewport.recordsInView()).toEqual({ first: 171, last: 200 })
  })

  test('that was scrolled up stays where it is while the log grows at both its ends', () => {
    const viewport = viewportOf(1000, 1101, 1100)
    viewport.moveBy(-205)
    drawn(viewport)
    expect(viewport.isFollowing).toBe(false)
    const [row, top] = [viewport.recordsInView().first, viewport.topOf(1070)]
    load(viewport, 500, 1101, 50_000)
    expect([viewport.recordsInView().first, viewport.topOf(1070)]).toEqual([row, top])
    load(drawn(viewport), 800, 1400, 90_000)
    expect([viewport.recordsInView().first, viewport.topOf(1070)]).toEqual([row, top])
  })

  test('at the edge of what is loaded stays at the row, and not at the edge', () => {
    const viewport = viewportOf(1000, 1101, 2000)
    viewport.goTo(1000, 'upper edge')
    viewport.moveBy(-100_000)
    drawn(viewport)
    const top = viewport.topOf(1000)
    load(viewport, 700, 1101, 2000)
    expect(viewport.topOf(1000)).toBe(top)
  })

  test('follows again when it comes to the end', () => {
    const viewport = viewportOf(1, 101, 100)
    viewport.moveBy(-500)
    viewport.moveBy(499)
    expect(viewport.isFollowing).toBe(false)
    viewport.moveBy(100)
    expect(viewport.isFollowing).toBe(true)
  })

  test('follows when little is missing at the end, and not when that is far away', () => {
    for (const [total, follows] of [
      [150, true],
      [5000, false],
    ] as const) {
      const viewport = viewportOf(1, 101, total)
      viewport.goTo(50, 'upper edge')
      viewport.moveBy(10_000)
      expect(viewport.isFollowing).toBe(follows)
    }
  })

  test('of a log that fits into it goes on to follow', () => {
    const viewport = viewportOf(1, 6, 5)
    viewport.moveBy(-100)
    expect(viewport.isFollowing).toBe(true)
  })

  test('puts a record at a third of its height, or at the edge', () => {
    const viewport = viewportOf(1, 1001, 1000)
    viewport.goTo(500, 'within')
    expect(viewport.topOf(500)).toBe(VIEW / 3)
    viewport.goTo(500, 'upper edge')
    expect(viewport.topOf(500)).toBe(0)
    viewport.goTo(2, 'within')
    expect(viewport.topOf(1)).toBe(0)
    expect(viewport.shows(2)).toBe(true)
    expect(viewport.shows(500)).toBe(false)
  })

  test('does not move when rows above turn out to be higher', () => {
    const viewport = viewportOf(1, 1001, 1000)
    viewport.goTo(500, 'upper edge')
    drawn(viewport)
    const item = viewport.items.find(({ key }) => key === 498)
    expect(item && viewport.measure(item, 500)).toBe(true)
    expect(item && viewport.measure(item, 500)).toBe(false)
    expect(viewport.topOf(500)).toBe(0)
    expect(viewport.topOf(498)).toBe(-520)
  })

  test('says what is loading, but not while it follows', () => {
    const viewport = viewportOf(100, 200, 5000)
    expect(viewport.items.at(0)?.key).toBe(0)
    expect(viewport.items.at(-1)?.key).toBe(199)
    viewport.moveBy(-100)
    expect(viewport.items.at(-1)?.key).toBe(Infinity)
    viewport.load({ rows: rowsFrom(100, 200), from: 100, next: 200, total: 5000, isBroken: true })
    viewport.goTo('end', 'within')
    expect(viewport.items.at(-1)?.key).toBe(Infinity)
  })

  test('that is moved to and fro is where it was', () => {
    const steps = fc.array(fc.integer({ min: -400, max: 400 }), { maxLength: 20 })
    fc.assert(
      fc.property(steps, (moves) => {
        const viewport = viewportOf(1, 2001, 2000)
        viewport.goTo(1000, 'upper edge')
        moves.forEach((by) => viewport.moveBy(by))
        drawn(viewport)
        moves.forEach((by) => viewport.moveBy(-by))
        expect(viewport.topOf(1000)).toBe(0)
      }),
    )
  })
})
