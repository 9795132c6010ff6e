import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { excludable, listInWords, skippedWikis, planOf, taskInWords, wikisInWords, type GroupMove } from './plan.ts'
import { allWikis, isNew, versionOf } from './status.ts'
import { aStatus, NEW, OLD } from './testing.ts'

const plan = (groupMove: GroupMove, excluded: string[] = [], status = aStatus()) =>
  planOf(status, groupMove, new Set(excluded))

describe('to promote', () => {
  test('the next group changes its wikis, and no others', () => {
    expect(plan({ kind: 'promote', place: 2 })).toEqual({
      move: { group: 'group1', version: NEW, oldVersion: OLD, excludedWikis: [] },
      changes: [{ from: OLD, to: NEW, wikis: ['d', 'e'] }],
      count: 2,
      upTo: ['testwikis', 'group0', 'group1'],
      rest: ['group2'],
    })
  })

  test('a group behind that takes the groups before it along', () => {
    expect(plan({ kind: 'promote', place: 3 }).changes).toEqual([{ from: OLD, to: NEW, wikis: ['d', 'e', 'f'] }])
  })

  test('leaves excluded wikis where they are, and names them', () => {
    const { move, changes } = plan({ kind: 'promote', place: 2 }, ['e'])
    expect(move.excludedWikis).toEqual(['e'])
    expect(changes).toEqual([{ from: OLD, to: NEW, wikis: ['d'] }])
  })

  test('offers to exclude what would change, and knows who did not come along before', () => {
    const status = aStatus({}, ['c'])
    const groupMove: GroupMove = { kind: 'promote', place: 2 }
    expect(excludable(status, groupMove)).toEqual(['c', 'd', 'e'])
    expect(skippedWikis(status, groupMove)).toEqual(['c'])
    expect(skippedWikis(status, { kind: 'promote', place: 1 })).toEqual([])
  })

  test('says also who runs something that is neither', () => {
    const status = aStatus()
    status.wikiVersions = { ...status.wikiVersions, f: '1.46.0-wmf.1', z: NEW }
    expect(plan({ kind: 'promote', place: 2 }, [], status).changes).toEqual([
      { from: OLD, to: NEW, wikis: ['d', 'e'] },
      { from: '1.46.0-wmf.1', to: OLD, wikis: ['f'] },
      { from: NEW, to: OLD, wikis: ['z'] },
    ])
  })
})

describe('to roll back', () => {
  test('a group leaves the train at the one before', () => {
    const { move, changes } = plan({ kind: 'roll back', place: 1 })
    expect(move).toEqual({ group: 'testwikis', version: NEW, oldVersion: OLD, excludedWikis: [] })
    expect(changes).toEqual([{ from: NEW, to: OLD, wikis: ['b', 'c'] }])
  })

  test('the first group rolls back all', () => {
    const { move, changes } = plan({ kind: 'roll back', place: 0 })
    expect(move).toEqual({ group: 'all', version: OLD, oldVersion: OLD, excludedWikis: [] })
    expect(changes).toEqual([{ from: NEW, to: OLD, wikis: ['a', 'b', 'c'] }])
  })

  test('promotes nobody', () => {
    const all = ['a', 'b', 'c', 'd', 'e', 'f']
    fc.assert(
      fc.property(fc.subarray(all), fc.integer({ min: 0, max: 3 }), (left, place) => {
        const status = aStatus({}, left)
        const { changes, move } = planOf(status, { kind: 'roll back', place }, new Set())
        expect(changes.every(({ to }) => to === OLD)).toBe(true)
        expect(move.excludedWikis.every((wiki) => !isNew(status, wiki))).toBe(true)
      }),
    )
  })
})

test('a plan names each wiki that changes once, and from what it runs', () => {
  const all = ['a', 'b', 'c', 'd', 'e', 'f']
  const aims = fc.record({
    kind: fc.constantFrom<GroupMove['kind']>('promote', 'roll back'),
    place: fc.integer({ min: 0, max: 3 }),
  })
  fc.assert(
    fc.property(fc.subarray(all), aims, fc.subarray(all), (left, groupMove, excluded) => {
      const status = aStatus({}, left)
      const { changes, count } = planOf(status, groupMove, new Set(excluded))
      const named = changes.flatMap(({ wikis }) => wikis)
      expect(new Set(named).size).toBe(named.length)
      expect(count).toBe(named.length)
      expect(named.every((wiki) => allWikis(status).includes(wiki))).toBe(true)
      expect(changes.every(({ from, wikis }) => wikis.every((wiki) => versionOf(status, wiki) === from))).toBe(true)
    }),
  )
})

test('in words', () => {
  expect([1, 1234].map(wikisInWords)).toEqual(['1 wiki', '1,234 wikis'])
  expect([[], ['a'], ['a', 'b'], ['a', 'b', 'c']].map(listInWords)).toEqual(['', 'a', 'a and b', 'a, b and c'])
  expect(taskInWords({ group: 'group1', version: NEW, excludedWikis: ['a'] })).toBe(
    `the wikis up to group1 to ${NEW}, but for 1 wiki`,
  )
  expect(taskInWords({ group: 'all', version: OLD })).toBe(`all wikis to ${OLD}`)
})
