import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { effectScope, shallowRef, type EffectScope, type Ref } from 'vue'

import type { Connection } from '@/api/events.ts'

import { useFreshness, type Freshness } from './freshness.ts'

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
