import {
  cdxIconClock,
  cdxIconEllipsis,
  cdxIconError,
  cdxIconPause,
  cdxIconPlay,
  type Icon,
} from '@wikimedia/codex-icons'

import { isFinal, type Job, type Runner } from '@/api/types.ts'

/** The state of the job runner, as words and an icon. */
export interface Summary {
  icon: Icon
  /** `Running 2`. */
  words: string
  /** Whether it needs attention. */
  isTrouble: boolean
}

/** Summarises the runner and its jobs. Null: nothing is known yet. */
export function summarise(runner: Runner | null, jobs: Iterable<Job>): Summary {
  if (runner === null) {
    return { icon: cdxIconEllipsis, words: 'Connecting…', isTrouble: false }
  }
  if (!runner.up) {
    return { icon: cdxIconError, words: 'Not running', isTrouble: true }
  }
  if (runner.paused !== null) {
    return { icon: cdxIconPause, words: `Paused: ${runner.paused}`, isTrouble: true }
  }
  const busy = countRunning(jobs)
  return busy > 0
    ? { icon: cdxIconPlay, words: `Running ${busy}`, isTrouble: false }
    : { icon: cdxIconClock, words: 'Idle', isTrouble: false }
}

/** The number of jobs that have started and not ended. */
export function countRunning(jobs: Iterable<Job>): number {
  return count(jobs, ({ state }) => state !== 'queued' && !isFinal(state))
}

/** The number of jobs with an open question. */
export function countAsking(jobs: Iterable<Job>): number {
  return count(jobs, ({ interaction }) => interaction !== null)
}

function count(jobs: Iterable<Job>, counts: (job: Job) => boolean): number {
  return [...jobs].filter(counts).length
}
