import { describe, expect, test } from 'vitest'

import { countVersions, isSame, nextPlace, stateOf, statusIn, UNKNOWN, wikisOf } from './status.ts'
import { aStatus, NEW, OLD } from './testing.ts'

describe('a group', () => {
  test('has the wikis that no group before it has', () => {
    expect(wikisOf(aStatus(), 1)).toEqual(['b', 'c'])
  })

  test.each([
    [[], ['done', 'done', 'next', 'later']],
    [['c'], ['done', 'part', 'next', 'later']],
    [
      ['a', 'b', 'c'],
      ['next', 'later', 'later', 'later'],
    ],
  ])('without the version on %j: %j', (left, states) => {
    const status = aStatus({}, left)
    expect(status.groups.map((_, place) => stateOf(status, place))).toEqual(states)
  })

  test('without wikis of its own is not waited for', () => {
    const status = aStatus()
    status.groups[2] = { name: 'group1', versions: [], wikis: ['a'], hasRolled: false }
    expect(stateOf(status, 2)).toBe('later')
    expect(nextPlace(status)).toBe(3)
  })
})

test('versions are counted, the new one first, and what is not known is told', () => {
  const status = aStatus({ wikiVersions: { a: '1.46.0-wmf.1', b: OLD, c: NEW } })
  expect(countVersions(status, ['a', 'b', 'c', 'd', 'constructor'])).toEqual([
    { version: NEW, wikis: 1 },
    { version: OLD, wikis: 1 },
    { version: '1.46.0-wmf.1', wikis: 1 },
    { version: UNKNOWN, wikis: 2 },
  ])
})

test('two are the same whenever they were made, and not if a wiki runs something else', () => {
  const status = aStatus()
  expect(isSame(status, { ...status, time: 7, warnings: ['careful'] })).toBe(true)
  expect(isSame(status, { ...status, wikiVersions: { ...status.wikiVersions, d: NEW } })).toBe(false)
})

describe('the data of a job', () => {
  test('has the status that somebody saw', () => {
    const status = aStatus()
    expect(statusIn(JSON.parse(JSON.stringify(status)))).toEqual({ ...status, time: 1000 })
  })

  test.each([
    null,
    undefined,
    'x',
    [],
    {},
    { version: NEW, groups: 'all' },
    { version: NEW, groups: [{ name: 'a', wikis: [7] }] },
    { version: NEW, groups: [], wikiVersions: { a: null } },
  ])('may be anything: %j', (data) => {
    expect(statusIn(data)).toBeNull()
  })
})
