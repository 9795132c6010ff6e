import {
  cdxIconClock,
  cdxIconEllipsis,
  cdxIconError,
  cdxIconPause,
  cdxIconPlay,
  type Icon,
} from '@wikimedia/codex-icons'

import { isFinal, type Job, type Runner } from '@/api/types.ts'

/** What the job runner does, as words and a shape. */
export interface Summary {
  icon: Icon
  /** `Running 2`. */
  words: string
  /** Whether somebody should see to it. */
  isTrouble: boolean
}

/** Sums up the runner and what it has to do. Null: nothing is known of it yet. */
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

/** How many jobs run, in whatever way. */
export function countRunning(jobs: Iterable<Job>): number {
  return count(jobs, ({ state }) => state !== 'queued' && !isFinal(state))
}

/** How many jobs ask somebody something. */
export function countAsking(jobs: Iterable<Job>): number {
  return count(jobs, ({ interaction }) => interaction !== null)
}

function count(jobs: Iterable<Job>, counts: (job: Job) => boolean): number {
  return [...jobs].filter(counts).length
}
