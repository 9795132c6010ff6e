import { describe, expect, test } from 'vitest'

import type { Job } from '@/api/types.ts'
import { aJob } from '@/api/testing.ts'

import { movedSince } from './jobs.ts'
import { aStatus, NEW, OLD } from './testing.ts'

const TO_GROUP0 = { group: 'group0', version: NEW, oldVersion: OLD, excludedWikis: [] }

/** A job that moved the train just after the status was reported. */
function aMove(different: Partial<Job> = {}): Job {
  return aJob({
    id: 7,
    type: 'train',
    started_at: 990,
    finished_at: 1001,
    running: false,
    state: 'succeeded',
    outcome: 'succeeded',
    data: TO_GROUP0,
    ...different,
  })
}

const since = (different: Partial<Job>, status = aStatus()) => movedSince([aMove(different)], status)?.id ?? null

describe('a status is behind a job', () => {
  test('that has ended after it, and whose end it does not show', () => {
    expect(since({ data: { ...TO_GROUP0, group: 'group1' } })).toBe(7)
    expect(since({ data: { ...TO_GROUP0, excludedWikis: ['b'] } })).toBe(7)
    expect(since({ data: { ...TO_GROUP0, group: 'all', version: OLD } })).toBe(7)
    expect(since({ data: { ...TO_GROUP0, group: 'unheard of' } })).toBe(7)
    expect(since({ data: {} })).toBe(7)
  })

  test('that broke off, as nobody knows what it has left behind', () => {
    expect(since({ state: 'failed', outcome: 'failed' })).toBe(7)
    expect(since({ state: 'lost', outcome: 'lost' })).toBe(7)
  })

  test('only if it has moved the train, and later', () => {
    expect(since({ type: 'backport' })).toBeNull()
    expect(since({ state: 'failed', outcome: 'failed', finished_at: 999 })).toBeNull()
    expect(since({ state: 'cancelled', outcome: 'cancelled', started_at: null })).toBeNull()
  })
})

describe('a status tells of a job', () => {
  test('that has brought the train where it is', () => {
    expect(since({})).toBeNull()
    expect(since({ data: { ...TO_GROUP0, excludedWikis: ['b'] } }, aStatus({}, ['b']))).toBeNull()
  })

  test('that has put everything back', () => {
    const data = { ...TO_GROUP0, group: 'group1', originalTrainStatus: aStatus({ time: 5 }) }
    expect(since({ state: 'failed', outcome: 'rolled_back', data })).toBeNull()
    expect(since({ state: 'failed', outcome: 'cancelled_at_prompt', data })).toBeNull()
    expect(since({ state: 'failed', outcome: 'rolled_back', data }, aStatus({}, ['b']))).toBe(7)
  })
})
