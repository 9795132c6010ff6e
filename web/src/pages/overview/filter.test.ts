import { expect, test } from 'vitest'
import { parseQuery, stringifyQuery } from 'vue-router'

import { choose, chosenOf, filterOf, jobFilter, withFilter, wordsOf, type Filter } from './filter.ts'

const NONE: Filter = { outcomes: [], states: [], user: '', type: '', text: '' }

function parse(search: string): Filter {
  return filterOf(parseQuery(search))
}

test('an address keeps the filter', () => {
  const filter: Filter = {
    outcomes: ['failed', 'lost'],
    states: ['rejected'],
    user: 'alice',
    type: 'backport',
    text: 'a&b=ä',
  }
  expect(parse(stringifyQuery(withFilter({}, filter)))).toEqual(filter)
})

test('an address without a filter has none', () => {
  expect(parse('')).toEqual(NONE)
  expect(withFilter({}, NONE)).toEqual({})
})

test('what is not known is ignored', () => {
  expect(parse('?outcome=bogus&state=failed&state=bogus&state&user&q=x&q=y')).toEqual({
    ...NONE,
    states: ['failed'],
    text: 'x',
  })
})

test('what else an address has stays', () => {
  const query = parseQuery('?change=1&change=2&user=bob')
  expect(withFilter(query, { ...NONE, text: 'x' })).toEqual({ change: ['1', '2'], q: 'x' })
})

test('the history is of jobs that have ended, unless others are asked for', () => {
  expect(jobFilter(NONE).state).toEqual(['succeeded', 'failed', 'cancelled', 'lost', 'rejected'])
  expect(jobFilter({ ...NONE, states: ['running'] }).state).toEqual(['running'])
})

test('an outcome needs no state beside it', () => {
  expect(jobFilter({ ...NONE, outcomes: ['stopped'] })).toMatchObject({ outcome: ['stopped'], state: [] })
})

test('outcomes are chosen together, and so are states, but not both: there would be no such job', () => {
  const choice = (filter: Filter, ...words: string[]) => choose(filter, words)
  const failed = { ...NONE, outcomes: ['failed' as const] }
  expect(choice(failed, 'outcome failed', 'outcome lost').outcomes).toEqual(['failed', 'lost'])
  expect(choice(failed, 'outcome failed', 'state rejected')).toEqual({ outcomes: [], states: ['rejected'] })
  expect(choice(failed)).toEqual({ outcomes: [], states: [] })
  const open = choice(failed, 'outcome failed', 'open')
  expect(open).toEqual({ outcomes: [], states: ['queued', 'starting', 'running', 'waiting', 'stopping'] })
  expect(chosenOf({ ...NONE, ...open })).toEqual(['open'])
  expect(choice({ ...NONE, ...open }, 'open', 'outcome failed')).toEqual({ outcomes: ['failed'], states: [] })
})

test('each word is offered once, and what only an address asks for beside them', () => {
  const labels = (search: string) => wordsOf(parse(search)).map(({ label }) => label)
  expect(new Set(labels('')).size).toBe(labels('').length)
  expect(labels('')).toContain('Lost')
  expect(labels('?state=failed&outcome=failed').slice(labels('').length)).toEqual(['State failed'])
  expect(chosenOf(parse('?state=failed&outcome=lost'))).toEqual(['outcome lost', 'state failed'])
})
