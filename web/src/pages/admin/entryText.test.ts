import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { EVENTS } from './audit.ts'
import { describeEntry } from './entryText.ts'

const told = (event: string, details: Record<string, unknown>, user: string | null = 'alice') => {
  const { words, job, details: others } = describeEntry({ event, user, details })
  return { words, job, details: Object.fromEntries(others.map(({ name, text }) => [name, text])) }
}

describe('an entry is told', () => {
  test.each([
    ['sign_in', { by: 'password' }, 'signed in', { By: 'password' }],
    ['sign_in_refused', { known_user: false }, 'could not sign in', { 'User exists': 'no' }],
    [
      'second_factor',
      { by: 'recovery code', recovery_codes_left: 0 },
      'entered a code of the second factor',
      { By: 'recovery code', 'Recovery codes left': '0' },
    ],
    ['second_factor_refused', { what: 'second factor' }, 'entered a wrong code', {}],
    ['locked', { what: 'password' }, 'entered too many wrong passwords', {}],
    ['locked', { what: 'second factor' }, 'entered too many wrong codes', {}],
    ['locked', {}, 'made too many attempts', {}],
    ['second_factor_changed', { what: 'enrolled' }, 'set up the second factor', {}],
    ['second_factor_changed', { what: 'reset', of: 'bob' }, 'reset the second factor of bob', {}],
    [
      'second_factor_changed',
      { what: 'code_told', of: 'alice' },
      'created, on the host, a code of the second factor',
      {},
    ],
    ['sessions_ended', { of: null }, 'signed everyone out', {}],
    ['sessions_ended', { of: 'alice' }, 'ended sessions', {}],
    ['sessions_ended', { of: 'bob' }, 'ended sessions of bob', {}],
    [
      'account_changed',
      { what: 'groups', of: 'bob', groups: ['a', 'b'] },
      'changed the groups of bob',
      { Groups: 'a\nb' },
    ],
    ['token_changed', { what: 'revoked', token: 'k3', of: 'alice' }, 'revoked a token', { Token: 'k3' }],
    ['pause', { reason: 'lunch' }, 'paused the job runner', { Reason: 'lunch' }],
  ])('%s %j', (event, details, words, others) => {
    expect(told(event, details)).toEqual({ words, job: null, details: others })
  })

  test.each([
    ['start', { job: 4, type: 'backport', retry_of: null }, 'started', { 'Job type': 'backport' }],
    [
      'answer',
      { job: 4, interaction: 4_000_001, response: 'y' },
      'answered a question of',
      { Question: '1', Answer: 'y' },
    ],
    [
      'answer',
      { job: 4, interaction: 4_000_002, response: '' },
      'answered a question of',
      { Question: '2', Answer: '(empty)' },
    ],
    ['signal', { job: 4, signal: 'interrupt' }, 'stopped', {}],
    ['signal', { job: 4, signal: 'kill' }, 'killed', {}],
    ['signal', { job: 4, signal: 'hup' }, 'sent a signal to', { Signal: 'hup' }],
    ['reveal', { job: 4 }, 'viewed sensitive lines in the log of', {}],
  ])('of its job: %s %j', (event, details, words, others) => {
    expect(told(event, details)).toEqual({ words, job: 4, details: others })
  })
})

test('what the words do not know stands beside them', () => {
  expect(told('second_factor_changed', { what: 'sung', of: 7 })).toEqual({
    words: 'changed the second factor',
    job: null,
    details: { What: 'sung', Of: '7' },
  })
  expect(told('something_new', { a: { b: 1 } })).toEqual({
    words: 'something_new',
    job: null,
    details: { a: '{\n  "b": 1\n}' },
  })
})

test.each([0, -1, 1.5, '4', 2 ** 60, null, {}])('%j is no job to go to', (job) => {
  expect(told('start', { job })).toMatchObject({ words: 'started a job', job: null })
})

test('nothing that somebody typed keeps an entry from being told, or a detail', () => {
  const events = [...EVENTS.keys(), 'constructor', '__proto__', '']
  const names = fc.oneof(fc.string(), fc.constantFrom('of', 'Of', 'what', 'job', 'signal', '__proto__'))
  fc.assert(
    fc.property(fc.constantFrom(...events), fc.dictionary(names, fc.jsonValue()), (event, details) => {
      const known = new Set(['of', 'what', 'job', 'signal'])
      const others = Object.entries(details).filter(([name, value]) => value !== null && !known.has(name))
      return describeEntry({ event, user: null, details }).details.length >= others.length
    }),
  )
})
