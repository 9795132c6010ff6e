import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'

import { ApiError } from './client.ts'
import { describeRetry, Retry } from './retry.ts'
import { serverTime } from './serverTime.ts'

const AWAY = new ApiError('SpiderPig cannot be reached', 0)

let asked: number
let retry: Retry
let visibility: DocumentVisibilityState

beforeEach(() => {
  vi.useFakeTimers()
  vi.spyOn(Math, 'random').mockReturnValue(1)
  visibility = 'visible'
  vi.spyOn(document, 'visibilityState', 'get').mockImplementation(() => visibility)
  asked = 0
  retry = new Retry(() => (asked += 1))
})

afterEach(() => {
  retry.stop()
  expect(vi.getTimerCount()).toBe(0)
  vi.useRealTimers()
})

/** Seconds until the next attempt. */
const pause = () => ((retry.at.value ?? NaN) - serverTime()) / 1000

describe('what could not be asked', () => {
  test('is asked again with growing pauses, which are never long', () => {
    const pauses = []
    for (let turn = 0; turn < 7; turn += 1) {
      retry.failed(AWAY)
      pauses.push(pause())
      vi.advanceTimersByTime(pause() * 1000 - 1)
      expect(asked).toBe(turn)
      vi.advanceTimersByTime(1)
      expect(asked).toBe(turn + 1)
    }
    expect(pauses).toEqual([1, 2, 4, 8, 16, 30, 30])
  })

  test('is told why until there is an answer, and begins with short pauses then', () => {
    retry.failed(AWAY)
    vi.advanceTimersByTime(1000)
    expect(retry.problem.value).toBe('SpiderPig cannot be reached')
    retry.failed(AWAY)
    retry.succeeded()
    expect([retry.problem.value, retry.at.value]).toEqual([null, null])
    vi.advanceTimersByTime(60_000)
    expect(asked).toBe(1)
    retry.failed(AWAY)
    expect(pause()).toBe(1)
  })

  test.each([400, 401, 403, 404, 409, 422])('is not asked again by itself after %s', (status) => {
    retry.failed(new ApiError('No', status))
    vi.advanceTimersByTime(3_600_000)
    retry.retrySoon()
    retry.now()
    expect([asked, retry.problem.value, retry.at.value]).toEqual([0, 'No', null])
  })

  test.each([0, 408, 421, 429, 500, 502, 503, 504])('is asked again after %s', (status) => {
    retry.failed(new ApiError('Not now', status))
    vi.advanceTimersByTime(1000)
    expect(asked).toBe(1)
  })

  test('is not asked again before the API lets that be done', () => {
    retry.failed(new ApiError('Too often', 429, {}, [], 20))
    retry.retrySoon()
    expect(pause()).toBe(20)
  })

  test('is asked again soon if there is a new reason, but not without a pause', () => {
    for (let turn = 0; turn < 5; turn += 1) {
      retry.failed(AWAY)
      for (let news = 0; news < 10; news += 1) {
        retry.retrySoon()
      }
      expect(pause()).toBe(1)
      vi.advanceTimersByTime(1000)
    }
    expect(asked).toBe(5)
    // It is under way.
    retry.retrySoon()
    vi.advanceTimersByTime(60_000)
    expect(asked).toBe(5)
  })

  test('is asked at once when somebody wants that, or the network is back', () => {
    retry.failed(AWAY)
    retry.now()
    retry.now()
    expect(asked).toBe(1)
    retry.failed(AWAY)
    window.dispatchEvent(new Event('online'))
    window.dispatchEvent(new Event('online'))
    expect(asked).toBe(2)
  })

  test('is not asked while nobody sees the page, and then at once', () => {
    visibility = 'hidden'
    retry.failed(AWAY)
    vi.advanceTimersByTime(3_600_000)
    expect(asked).toBe(0)
    visibility = 'visible'
    document.dispatchEvent(new Event('visibilitychange'))
    document.dispatchEvent(new Event('visibilitychange'))
    expect(asked).toBe(1)
  })

  test('is not asked again when nobody wants to know any more', () => {
    retry.failed(AWAY)
    retry.stop()
    vi.advanceTimersByTime(3_600_000)
    window.dispatchEvent(new Event('online'))
    expect(asked).toBe(0)
  })
})

test('the words say in how many seconds, or that it is being done', () => {
  expect(describeRetry(3500, 1000)).toBe('Trying again in 3 s')
  expect(describeRetry(900, 1000)).toBe('Trying again now')
  expect(describeRetry(null, 1000)).toBe('Trying again now')
})
