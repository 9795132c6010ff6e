import { expect, test } from 'vitest'
import { parseQuery, stringifyQuery } from 'vue-router'

import { filterOf, jobFilter, withFilter, type Filter } from './filter.ts'

const NONE: Filter = { states: [], user: '', type: '', text: '' }

function parse(search: string): Filter {
  return filterOf(parseQuery(search))
}

test('an address keeps the filter', () => {
  const filter: Filter = { states: ['failed', 'lost'], user: 'alice', type: 'backport', text: 'a&b=ä' }
  expect(parse(stringifyQuery(withFilter({}, filter)))).toEqual(filter)
})

test('an address without a filter has none', () => {
  expect(parse('')).toEqual(NONE)
  expect(withFilter({}, NONE)).toEqual({})
})

test('what is not known is ignored', () => {
  expect(parse('?state=failed&state=bogus&state&user&q=x&q=y')).toEqual({ ...NONE, states: ['failed'], text: 'x' })
})

test('what else an address has stays', () => {
  const query = parseQuery('?change=1&change=2&user=bob')
  expect(withFilter(query, { ...NONE, text: 'x' })).toEqual({ change: ['1', '2'], q: 'x' })
})

test('the history is of jobs that have ended, unless others are asked for', () => {
  expect(jobFilter(NONE).state).toEqual(['succeeded', 'failed', 'cancelled', 'lost', 'rejected'])
  expect(jobFilter({ ...NONE, states: ['running'] }).state).toEqual(['running'])
})
