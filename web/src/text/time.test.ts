import { describe, expect, test } from 'vitest'

import { formatDuration, formatLocalTime, formatTime } from './time.ts'

const at = (iso: string) => Date.parse(iso) / 1000

describe('a moment', () => {
  const now = Date.parse('2026-11-24T15:00:00Z')

  test('of today has no date', () => {
    expect(formatTime(at('2026-11-24T00:00:00Z'), now)).toBe('00:00:00')
    expect(formatTime(at('2026-11-24T14:05:09.999Z'), now)).toBe('14:05:09')
  })

  test('of another day in UTC has its date', () => {
    expect(formatTime(at('2026-11-23T23:59:59Z'), now)).toBe('2026-11-23 23:59:59')
    expect(formatTime(at('2026-11-25T00:00:00Z'), now)).toBe('2026-11-25 00:00:00')
  })

  test('in local time says where that is', () => {
    expect(formatLocalTime(at('2026-11-24T14:05:09Z'))).toMatch(/^2026-11-2[345] \d\d:\d5:09 (GMT|UTC)/)
  })
})

describe('a duration', () => {
  test.each([
    [0, '0 s'],
    [-5, '0 s'],
    [0.013, '< 1 s'],
    [1, '1 s'],
    [59.4, '59 s'],
    [59.6, '1 min'],
    [200, '3 min 20 s'],
    [3600, '1 h'],
    [3605, '1 h'],
    [7500, '2 h 5 min'],
    [86_399.9, '1 d'],
    [273_600, '3 d 4 h'],
  ])('of %d seconds is %j', (seconds, words) => {
    expect(formatDuration(seconds)).toBe(words)
  })
})
