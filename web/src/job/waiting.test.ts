import { expect, test } from 'vitest'

import { aLane, aQueuedJob, aRunner } from '@/api/testing.ts'
import type { Job, Runner } from '@/api/types.ts'

import { waitingLanes } from './waiting.ts'

/** The lanes as lines: `mediawiki: 1 #7 job 6`. */
function lines(jobs: Job[], runner: Runner | null): string[] {
  const laneOf = (type: string) => (type === 'gone' ? undefined : `lane of ${type}`)
  return waitingLanes(jobs, runner, laneOf).flatMap(({ name, jobs }) =>
    jobs.map(({ job, position, waitingFor }) => `${name}: ${position} #${job.id} ${waitingFor}`),
  )
}

test('the order and the reasons are those of the runner', () => {
  const told = aRunner({
    lanes: {
      mediawiki: aLane({ job: 8, waiting_for: 'job 6' }, { job: 7, waiting_for: 'job 8' }),
      default: aLane({ job: 9, waiting_for: 'a free place' }),
    },
  })
  const jobs = [
    aQueuedJob(7, { position: 1, waiting_for: 'older news' }),
    aQueuedJob(8, { position: 2 }),
    aQueuedJob(9),
  ]
  expect(lines(jobs, told)).toEqual(['default: 1 #9 a free place', 'mediawiki: 1 #8 job 6', 'mediawiki: 2 #7 job 8'])
})

test('a job of which the runner gives no reason keeps its own', () => {
  const told = aRunner({ lanes: { mediawiki: aLane({ job: 7, waiting_for: null }) } })
  expect(lines([aQueuedJob(7, { waiting_for: 'job 6' })], told)).toEqual(['mediawiki: 1 #7 job 6'])
})

test('what is claimed in the meantime does not wait, and moves the others up', () => {
  const told = aRunner({
    lanes: { mediawiki: aLane({ job: 7, waiting_for: 'job 6' }, { job: 8, waiting_for: 'job 7' }) },
  })
  expect(lines([aQueuedJob(7, { state: 'starting' }), aQueuedJob(8)], told)).toEqual(['mediawiki: 1 #8 job 7'])
})

test('what the runner has not seen comes last, in its own order', () => {
  const told = aRunner({ lanes: { 'lane of backport': aLane({ job: 7, waiting_for: 'job 6' }) } })
  const jobs = [
    aQueuedJob(10),
    aQueuedJob(9, { position: 3 }),
    aQueuedJob(8, { position: 2, waiting_for: 'job 7' }),
    aQueuedJob(7),
  ]
  expect(lines(jobs, told)).toEqual([
    'lane of backport: 1 #7 job 6',
    'lane of backport: 2 #8 job 7',
    'lane of backport: 3 #9 null',
    'lane of backport: 4 #10 null',
  ])
})

test('without a word of the runner jobs speak for themselves', () => {
  const jobs = [
    aQueuedJob(8, { position: 1, waiting_for: 'The job runner is not running' }),
    aQueuedJob(7, { type: 'gone' }),
  ]
  expect(lines(jobs, null)).toEqual(['null: 1 #7 null', 'lane of backport: 1 #8 The job runner is not running'])
})

test('a lane where nobody waits is not there', () => {
  expect(
    waitingLanes([aQueuedJob(7, { state: 'running' })], aRunner({ lanes: { mediawiki: aLane() } }), () => 'mediawiki'),
  ).toEqual([])
})
