import { expect, test } from 'vitest'

import { timestampOf, type Since, type TimestampMode } from './timestamps.ts'

const START = Date.parse('2026-11-23T15:38:00.000Z') / 1000

test.each<[TimestampMode, string | null, Partial<Since>, string]>([
  ['off', '2026-11-23T15:38:46.123Z', {}, ''],
  ['utc', '2026-11-23T15:38:46.123Z', {}, '15:38:46.123'],
  ['utc', '2026-11-24T00:00:00.000Z', {}, '2026-11-24 00:00:00.000'],
  ['start', '2026-11-23T15:38:46.123Z', {}, '+46.123'],
  ['start', '2026-11-23T15:39:01.003Z', {}, '+1:01.003'],
  ['start', '2026-11-24T01:38:00.500Z', {}, '+10:00:00.500'],
  ['start', '2026-11-23T15:37:59.000Z', {}, '−1.000'],
  ['start', '2026-11-23T15:38:46.123Z', { start: null }, ''],
  ['gap', '2026-11-23T15:38:46.123Z', { before: '2026-11-23T15:38:46.000Z' }, '+0.123'],
  ['gap', '2026-11-23T15:38:46.123Z', { before: null }, ''],
  ['utc', null, {}, ''],
  ['utc', 'not a time', {}, ''],
])('%s of %s', (timestamps, time, since, expected) => {
  expect(timestampOf(timestamps, time, { start: START, before: null, ...since })).toBe(expected)
})
