import { expect, test } from 'vitest'

import { filterOf, queryOf, secondsOf } from './audit.ts'

test('the address keeps what is asked for, and nothing else', () => {
  const filter = { user: 'alice', event: 'sign_in', q: 'a&b' }
  expect(queryOf(filter)).toEqual(filter)
  expect(filterOf({ ...filter, other: 'x' })).toEqual(filter)
  expect(queryOf({ user: '', event: '', q: '' })).toEqual({})
  expect(filterOf({ user: ['bob', 'eve'], event: null })).toEqual({ user: 'bob', event: '', q: '' })
})

test('a time is read, or is none', () => {
  expect(secondsOf('2026-11-24T18:05:38.250Z')).toBe(Date.UTC(2026, 10, 24, 18, 5, 38, 250) / 1000)
  expect(secondsOf('yesterday')).toBeNull()
})
