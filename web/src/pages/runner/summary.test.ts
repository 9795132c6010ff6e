import { describe, expect, test } from 'vitest'

import type { JobState } from '@/api/types.ts'
import { aJob, aPrompt, aRunner } from '@/api/testing.ts'

import { countAsking, summarise } from './summary.ts'

const jobs = (...states: JobState[]) => states.map((state, index) => aJob({ id: index + 1, state }))
const words = (...given: Parameters<typeof summarise>) => summarise(...given).words

describe('the runner', () => {
  test('is idle when no job runs, whatever waits or has ended', () => {
    expect(words(aRunner(), jobs('queued', 'succeeded', 'lost', 'rejected'))).toBe('Idle')
  })

  test('runs what has begun and not ended', () => {
    expect(words(aRunner(), jobs('queued', 'starting', 'running', 'waiting', 'stopping', 'failed'))).toBe('Running 4')
  })

  test('is paused with its reason, also while jobs run', () => {
    expect(words(aRunner({ paused: 'lunch (bob)' }), jobs('running'))).toBe('Paused: lunch (bob)')
  })

  test('is not running, whatever it said last', () => {
    expect(words(aRunner({ up: false, paused: 'lunch (bob)' }), jobs('running'))).toBe('Not running')
  })

  test('is not known at first', () => {
    expect(words(null, [])).toBe('Connecting…')
  })

  test('is trouble when no job starts', () => {
    const isTrouble = [aRunner(), aRunner({ up: false }), aRunner({ paused: 'x' }), null].map(
      (runner) => summarise(runner, []).isTrouble,
    )
    expect(isTrouble).toEqual([false, true, true, false])
  })
})

test('jobs that ask are counted', () => {
  expect(countAsking([aJob(), aJob({ id: 2, interaction: aPrompt() })])).toBe(1)
})
