import { afterEach, beforeEach, expect, test, vi } from 'vitest'

import { learnServerTime, serverTime } from './serverTime.ts'

const NOON = Date.parse('2026-11-24T12:00:00Z')

beforeEach(() => {
  vi.useFakeTimers({ now: NOON })
  learnServerTime(new Date(NOON).toUTCString(), NOON, NOON)
})

afterEach(() => void vi.useRealTimers())

/** A response of a server whose clock is ahead, which took so long. */
function ask(ahead: number, took: number): void {
  const sentAt = Date.now()
  vi.advanceTimersByTime(took)
  learnServerTime(new Date(sentAt + took / 2 + ahead).toUTCString(), sentAt, Date.now())
}

test.each([3 * 3_600_000, -3 * 3_600_000, 90_000, -5000])('a clock that is %i ms ahead is followed', (ahead) => {
  ask(ahead, 80)
  expect(Math.abs(serverTime() - Date.now() - ahead)).toBeLessThan(1100)
})

test('a clock that is right stays as it is', () => {
  for (const took of [3, 40, 700, 20_000]) {
    vi.advanceTimersByTime(321)
    ask(0, took)
    expect(serverTime()).toBe(Date.now())
  }
})

test('a slow response sets the clock by no more than it tells', () => {
  ask(60_000, 10)
  const before = serverTime() - Date.now()
  ask(60_000, 14_000)
  expect(serverTime() - Date.now()).toBe(before)
})

test('a laptop whose clock was put right is believed again', () => {
  ask(3_600_000, 10)
  vi.setSystemTime(Date.now() + 3_600_000)
  ask(0, 10)
  expect(Math.abs(serverTime() - Date.now())).toBeLessThan(1100)
})

test.each([
  [null, NOON, NOON],
  ['', NOON, NOON],
  ['yesterday', NOON, NOON],
  // The clock of the laptop is set back meanwhile.
  [new Date(NOON + 500_000).toUTCString(), NOON + 10, NOON],
])('a response with the date %j, asked for at %i and there at %i, tells nothing', (date, sentAt, receivedAt) => {
  const before = serverTime()
  learnServerTime(date, sentAt, receivedAt)
  expect(serverTime()).toBe(before)
})
