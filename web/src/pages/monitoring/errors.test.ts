import { describe, expect, test } from 'vitest'

import type { MediaWikiErrors } from '@/api/types.ts'

import { chosenRows, countsOf, filterOf, queryOf, rowsOf, versionsOf, type ErrorFilter } from './errors.ts'

const errors = (counts: Record<string, number>): MediaWikiErrors => ({
  message: 'These',
  problem: null,
  total: Object.values(counts).reduce((total, count) => total + count, 0),
  time: 1,
  log: Object.fromEntries(
    Object.entries(counts).map(([text, count]) => [text, { count, versions: [`v${count % 2}`] }]),
  ),
})
const all: ErrorFilter = { text: '', version: '', order: 'most' }
const messages = (filter: Partial<ErrorFilter>, before = {}) =>
  chosenRows(rowsOf(errors({ Apple: 1, banana: 30, cherry: 4 }), countsOf(errors(before))), { ...all, ...filter }).map(
    ({ message }) => message,
  )

describe('errors', () => {
  test('are compared with earlier counts: new, more often, or neither', () => {
    const rows = rowsOf(errors({ a: 5, b: 5, c: 5, constructor: 1 }), countsOf(errors({ a: 3, b: 5, c: 9 })))
    expect(rows.map(({ message, isNew, risen }) => [message, isNew, risen])).toEqual([
      ['a', false, 2],
      ['b', false, 0],
      ['c', false, 0],
      ['constructor', true, 0],
    ])
  })

  test('are found by a part of the text in any case, and by version', () => {
    expect(messages({ text: 'AN' })).toEqual(['banana'])
    expect(messages({ version: 'v0' })).toEqual(['banana', 'cherry'])
    expect(messages({ text: 'an', version: 'v1' })).toEqual([])
  })

  test('are ordered', () => {
    expect(messages({})).toEqual(['banana', 'cherry', 'Apple'])
    expect(messages({ order: 'fewest' })).toEqual(['Apple', 'cherry', 'banana'])
    expect(messages({ order: 'news' }, { banana: 30, cherry: 1 })).toEqual(['Apple', 'cherry', 'banana'])
  })

  test('have versions, the newest first', () => {
    const row = { message: '', count: 1, isNew: false, risen: 0 }
    expect(
      versionsOf([
        { ...row, versions: ['1.46.0-wmf.9', '1.46.0-wmf.10'] },
        { ...row, versions: ['php'] },
      ]),
    ).toEqual(['php', '1.46.0-wmf.10', '1.46.0-wmf.9'])
  })
})

test('an address has a filter, and what it does not know is ignored', () => {
  const filter: ErrorFilter = { text: 'a b', version: 'v1', order: 'news' }
  expect(filterOf({ q: 'a b', version: 'v1', order: 'news' })).toEqual(filter)
  expect(queryOf(filter)).toEqual({ q: 'a b', version: 'v1', order: 'news' })
  expect(filterOf({ order: 'random', q: null })).toEqual(all)
  expect(queryOf(all)).toEqual({})
})
