import { describe, expect, test } from 'vitest'

import { aJob } from '@/api/testing.ts'
import type { Job, Outcome } from '@/api/types.ts'

import { outcomeDetails, lookOf, OUTCOMES, STATES } from './jobState.ts'

const ended = (outcome: Outcome | null, state: Job['state'] = 'succeeded') => lookOf({ state, outcome })

describe('how a job looks', () => {
  test('green is only what succeeded, whatever its exit status', () => {
    const green = OUTCOMES.filter((outcome) => ended(outcome).status === 'success')
    expect(green).toEqual(['succeeded'])
    expect(ended('cancelled_at_prompt').word).toBe('Cancelled at a prompt')
    expect(ended('rolled_back').word).toBe('Rolled back')
  })

  test('it is by its state as long as there is no outcome', () => {
    expect(ended(null, 'running').word).toBe('Running')
    expect(ended(null, 'rejected').word).toBe('Rejected')
    expect(ended(null, 'succeeded').status).toBe('success')
  })

  test('an outcome of a later version is told by its word, and is not green', () => {
    expect(ended('half_done' as Outcome)).toMatchObject({ word: 'half done', status: 'notice' })
  })

  test('no two have the same word, and each has a shape', () => {
    const looks = OUTCOMES.map((outcome) => ended(outcome))
    expect(new Set(looks.map(({ word }) => word)).size).toBe(OUTCOMES.length)
    for (const { status, icon } of [...looks, ...STATES.map((state) => ended(null, state))]) {
      expect(icon !== undefined).toBe(status === 'notice')
    }
  })
})

test.each<[Partial<Job>, string | null]>([
  [{ exit_status: 0 }, null],
  [{ exit_status: 3 }, 'exit status 3'],
  [{ exit_status: -9 }, 'ended by signal 9'],
  [{ exit_status: -2, reason: 'stopped by bob', outcome_by: 'bob' }, 'stopped by bob'],
  [{ reason: 'The answer was “no”', outcome_by: 'bob' }, 'The answer was “no”, by bob'],
  [{ outcome_by: 'bob' }, 'by bob'],
  [{ exit_status: 1, phase: 'Syncing' }, 'exit status 1, in the phase “Syncing”'],
  [{ reason: 'failed in the phase “Sync…”', phase: 'Syncing' }, 'failed in the phase “Sync…”'],
])('beside its word the end of %j is told as %j', (job, words) => {
  expect(outcomeDetails(aJob(job))).toBe(words)
})
