import fc from 'fast-check'
import { expect, test } from 'vitest'

import type { Progress } from '@/api/types.ts'

import { shownProgress } from './progress.ts'

test('what a job says is shown', () => {
  expect(
    shownProgress({
      name: ' sync ',
      totalTasks: 300,
      tasksInFlight: 12,
      tasksFinishedOk: 97,
      tasksFinishedFailed: 3,
      tasksFinishedTotal: 100,
      tasksPercentComplete: 33.3,
      tasksRemaining: 188,
    }),
  ).toEqual({ name: 'sync', percent: 33.3, ok: 97, failed: 3, inFlight: 12, left: 188 })
})

test('a missing percentage is reckoned', () => {
  expect(shownProgress({ totalTasks: 4, tasksFinishedOk: 1, tasksFinishedFailed: 1 })?.percent).toBe(50)
  expect(shownProgress({ totalTasks: 4, tasksFinishedTotal: 9 })?.percent).toBe(100)
  expect(shownProgress({ totalTasks: 0, tasksFinishedOk: 0 })?.percent).toBeNull()
})

test.each([null, {}, { name: '' }, { name: null, totalTasks: null }, 'text', 7, []])(
  'nothing is nothing: %j',
  (said) => {
    expect(shownProgress(said as Progress | null)).toBeNull()
  },
)

test('any nonsense is shown as far as it makes sense', () => {
  const nonsense = fc.oneof(fc.string(), fc.double(), fc.integer(), fc.constant(null), fc.boolean(), fc.object())
  const names = [
    'name',
    'totalTasks',
    'tasksInFlight',
    'tasksFinishedOk',
    'tasksFinishedFailed',
    'tasksPercentComplete',
  ]
  fc.assert(
    fc.property(fc.dictionary(fc.constantFrom(...names), nonsense), (said) => {
      const shown = shownProgress(said as Progress)
      for (const count of [shown?.ok, shown?.failed, shown?.inFlight, shown?.left]) {
        expect(count == null || (Number.isInteger(count) && count >= 0)).toBe(true)
      }
      const percent = shown?.percent
      expect(percent == null || (percent >= 0 && percent <= 100)).toBe(true)
    }),
  )
})
