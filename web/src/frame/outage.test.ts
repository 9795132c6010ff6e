import { describe, expect, test } from 'vitest'

import type { Connection } from '@/api/events.ts'

import { describeOutage } from './outage.ts'

const BROKEN: Connection = { state: 'broken', reason: 'SpiderPig cannot be reached', retryAt: null }

describe('the words', () => {
  const now = Date.parse('2026-11-24T11:02:52Z')
  const heardAt = now - 42_000

  test('say how old it is, why, and when it is tried again', () => {
    expect(describeOutage({ ...BROKEN, retryAt: now + 2500 } as Connection, heardAt, now)).toEqual({
      headline: 'Not connected',
      age: 'the data is 42 s old (as of 11:02:10 UTC)',
      reason: 'SpiderPig cannot be reached',
      retry: 'Trying again in 3 s',
    })
  })

  test('say that it is being tried', () => {
    expect(describeOutage(BROKEN, heardAt, now).retry).toBe('Trying again now')
    expect(describeOutage({ ...BROKEN, retryAt: now - 300 } as Connection, heardAt, now).retry).toBe('Trying again now')
  })

  test('say that there is nothing yet', () => {
    expect(describeOutage({ state: 'connecting' }, null, now)).toEqual({
      headline: 'Connecting',
      age: null,
      reason: null,
      retry: null,
    })
    expect(describeOutage(BROKEN, null, now)).toMatchObject({
      headline: 'Not connected',
      age: 'no data yet',
    })
  })

  test('are never those of a time to come', () => {
    expect(describeOutage(BROKEN, now + 500, now).age).toContain('0 s old')
  })
})
