import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { rowsOf, type Entry, type Row } from './rows.ts'
import { Sight } from './sight.ts'

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

/** A view of a log of which this much is loaded. */
const sightOf = (from: number, next: number, total: number): Sight => {
  const sight = new Sight()
  sight.view = VIEW
  sight.reset(LINE, Infinity)
  sight.load({ rows: rowsFrom(from, next), from, next, total, isBroken: false })
  return sight
}
const load = (sight: Sight, from: number, next: number, total: number): void =>
  sight.load({ rows: rowsFrom(from, next), from, next, total, isBroken: false })

/** The page takes the place for granted when it has drawn it. */
const drawn = (sight: Sight): Sight => {
  sight.stay()
  return sight
}

describe('a view', () => {
  test('begins at the end, and follows it', () => {
    const sight = sightOf(1, 101, 100)
    expect(sight.recordsInView()).toEqual({ first: 71, last: 100 })
    load(drawn(sight), 1, 201, 200)
    expect(sight.recordsInView()).toEqual({ first: 171, last: 200 })
  })

  test('that was scrolled up stays where it is while the log grows at both its ends', () => {
    const sight = sightOf(1000, 1101, 1100)
    sight.moveBy(-205)
    drawn(sight)
    expect(sight.isFollowing).toBe(false)
    const [row, top] = [sight.recordsInView().first, sight.topOf(1070)]
    load(sight, 500, 1101, 50_000)
    expect([sight.recordsInView().first, sight.topOf(1070)]).toEqual([row, top])
    load(drawn(sight), 800, 1400, 90_000)
    expect([sight.recordsInView().first, sight.topOf(1070)]).toEqual([row, top])
  })

  test('at the edge of what is loaded stays at the row, and not at the edge', () => {
    const sight = sightOf(1000, 1101, 2000)
    sight.goTo(1000, 'upper edge')
    sight.moveBy(-100_000)
    drawn(sight)
    const top = sight.topOf(1000)
    load(sight, 700, 1101, 2000)
    expect(sight.topOf(1000)).toBe(top)
  })

  test('follows again when it comes to the end', () => {
    const sight = sightOf(1, 101, 100)
    sight.moveBy(-500)
    sight.moveBy(499)
    expect(sight.isFollowing).toBe(false)
    sight.moveBy(100)
    expect(sight.isFollowing).toBe(true)
  })

  test('follows when little is missing at the end, and not when that is far away', () => {
    for (const [total, follows] of [
      [150, true],
      [5000, false],
    ] as const) {
      const sight = sightOf(1, 101, total)
      sight.goTo(50, 'upper edge')
      sight.moveBy(10_000)
      expect(sight.isFollowing).toBe(follows)
    }
  })

  test('of a log that fits into it goes on to follow', () => {
    const sight = sightOf(1, 6, 5)
    sight.moveBy(-100)
    expect(sight.isFollowing).toBe(true)
  })

  test('puts a record at a third of its height, or at the edge', () => {
    const sight = sightOf(1, 1001, 1000)
    sight.goTo(500, 'within')
    expect(sight.topOf(500)).toBe(VIEW / 3)
    sight.goTo(500, 'upper edge')
    expect(sight.topOf(500)).toBe(0)
    sight.goTo(2, 'within')
    expect(sight.topOf(1)).toBe(0)
    expect(sight.shows(2)).toBe(true)
    expect(sight.shows(500)).toBe(false)
  })

  test('does not move when rows above turn out to be higher', () => {
    const sight = sightOf(1, 1001, 1000)
    sight.goTo(500, 'upper edge')
    drawn(sight)
    const item = sight.items.find(({ key }) => key === 498)
    expect(item && sight.measure(item, 500)).toBe(true)
    expect(item && sight.measure(item, 500)).toBe(false)
    expect(sight.topOf(500)).toBe(0)
    expect(sight.topOf(498)).toBe(-520)
  })

  test('says what is loading, but not while it follows', () => {
    const sight = sightOf(100, 200, 5000)
    expect(sight.items.at(0)?.key).toBe(0)
    expect(sight.items.at(-1)?.key).toBe(199)
    sight.moveBy(-100)
    expect(sight.items.at(-1)?.key).toBe(Infinity)
    sight.load({ rows: rowsFrom(100, 200), from: 100, next: 200, total: 5000, isBroken: true })
    sight.goTo('end', 'within')
    expect(sight.items.at(-1)?.key).toBe(Infinity)
  })

  test('that is moved to and fro is where it was', () => {
    const steps = fc.array(fc.integer({ min: -400, max: 400 }), { maxLength: 20 })
    fc.assert(
      fc.property(steps, (moves) => {
        const sight = sightOf(1, 2001, 2000)
        sight.goTo(1000, 'upper edge')
        moves.forEach((by) => sight.moveBy(by))
        drawn(sight)
        moves.forEach((by) => sight.moveBy(-by))
        expect(sight.topOf(1000)).toBe(0)
      }),
    )
  })
})
