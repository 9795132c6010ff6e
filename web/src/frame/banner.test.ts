import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { effectScope, shallowRef, type EffectScope, type Ref } from 'vue'

import type { Connection } from '@/api/events.ts'

import { describeOutage, useFreshness, type Freshness } from './banner.ts'

const LIVE: Connection = { state: 'live' }
const BROKEN: Connection = { state: 'broken', reason: 'SpiderPig cannot be reached', retryAt: null }

let connection: Ref<Connection>
let freshness: Readonly<Ref<Freshness>>
let scope: EffectScope

beforeEach(() => {
  vi.useFakeTimers()
  connection = shallowRef<Connection>({ state: 'connecting' })
  scope = effectScope()
  const run = scope.run(() => useFreshness(connection))
  if (run === undefined) {
    throw new Error('the scope has ended')
  }
  freshness = run
})

afterEach(() => {
  scope.stop()
  vi.useRealTimers()
})

describe('what is shown', () => {
  test('is fresh while the connection is there', () => {
    connection.value = LIVE
    vi.advanceTimersByTime(60_000)
    expect(freshness.value).toBe('fresh')
  })

  test.each(['connecting', 'broken'] as const)('may be stale when it was %s for a second, not before', (state) => {
    connection.value = LIVE
    vi.advanceTimersByTime(60_000)
    connection.value = state === 'broken' ? BROKEN : { state }
    vi.advanceTimersByTime(999)
    expect(freshness.value).toBe('fresh')
    vi.advanceTimersByTime(1)
    expect(freshness.value).toBe('stale')
  })

  test('does not flicker when the connection is renewed', () => {
    connection.value = LIVE
    vi.advanceTimersByTime(60_000)
    connection.value = { state: 'connecting' }
    vi.advanceTimersByTime(900)
    connection.value = LIVE
    vi.advanceTimersByTime(60_000)
    expect(freshness.value).toBe('fresh')
  })

  test('has one second of grace, whatever is tried in it', () => {
    connection.value = LIVE
    connection.value = BROKEN
    vi.advanceTimersByTime(600)
    connection.value = { ...BROKEN, retryAt: 7 }
    vi.advanceTimersByTime(400)
    expect(freshness.value).toBe('stale')
  })

  test('is fresh again for a few seconds, and then just fresh', () => {
    connection.value = LIVE
    connection.value = BROKEN
    vi.advanceTimersByTime(30_000)
    connection.value = LIVE
    expect(freshness.value).toBe('fresh again')
    vi.advanceTimersByTime(4999)
    expect(freshness.value).toBe('fresh again')
    vi.advanceTimersByTime(1)
    expect(freshness.value).toBe('fresh')
  })

  test('may be stale again soon after', () => {
    connection.value = LIVE
    connection.value = BROKEN
    vi.advanceTimersByTime(1000)
    connection.value = LIVE
    vi.advanceTimersByTime(100)
    connection.value = BROKEN
    vi.advanceTimersByTime(1000)
    expect(freshness.value).toBe('stale')
  })

  test('is not fresh "again" with the first connection, however late that is', () => {
    vi.advanceTimersByTime(1000)
    expect(freshness.value).toBe('stale')
    connection.value = LIVE
    vi.advanceTimersByTime(0)
    expect(freshness.value).toBe('fresh')
  })

  test('leaves no timer behind', () => {
    connection.value = BROKEN
    scope.stop()
    expect(vi.getTimerCount()).toBe(0)
  })
})

describe('the words', () => {
  const now = Date.parse('2026-11-24T11:02:52Z')
  const heardAt = now - 42_000

  test('say how old it is, why, and when it is tried again', () => {
    expect(describeOutage({ ...BROKEN, retryAt: now + 2500 } as Connection, heardAt, now)).toEqual({
      headline: 'Not connected',
      age: 'what you see is 42 s old (as of 11:02:10 UTC)',
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
      age: 'there is nothing to show yet',
    })
  })

  test('are never those of a time to come', () => {
    expect(describeOutage(BROKEN, now + 500, now).age).toContain('0 s old')
  })
})
