import { computed, type ComputedRef } from 'vue'

import { isFinal, type Job, TRAIN, type TrainStatus } from '@/api/types.ts'
import { useFreshness } from '@/state/freshness.ts'
import { useLive, type Live } from '@/state/live.ts'
import { LOOK_ONLY, useSession } from '@/state/session.ts'

import { isReached } from './plan.ts'
import { isSame, statusIn } from './status.ts'

/** The running and queued train jobs, the running one first. */
export function movingJobs(jobs: Iterable<Job>): Job[] {
  return [...jobs]
    .filter((job) => job.type === TRAIN && !isFinal(job.state))
    .sort((a, b) => Number(b.running) - Number(a.running) || a.id - b.id)
}

/**
 * The last train job that ended after the status was reported. A job whose result the status already contains does not
 * count: reporting may be the last step of the job.
 */
export function movedSince(jobs: Iterable<Job>, status: TrainStatus | null): Job | null {
  const ended = [...jobs].filter(({ type, started_at }) => type === TRAIN && started_at !== null)
  const last = ended.filter(({ state }) => isFinal(state)).sort((a, b) => b.id - a.id)[0]
  const isLater = last !== undefined && (last.finished_at ?? 0) > (status?.time ?? 0)
  return isLater && !(status !== null && isTold(status, last)) ? last : null
}

/** Whether a status already contains the result of a job. For failed jobs this is unknown. */
function isTold(status: TrainStatus, { outcome, data }: Job): boolean {
  const before = statusIn(data.originalTrainStatus)
  const isAsBefore = () => before !== null && isSame(status, before)
  switch (outcome) {
    case 'succeeded':
      return isReached(status, data)
    case 'rolled_back':
    case 'cancelled_at_prompt':
      return isAsBefore()
    default:
      return false
  }
}

/** Why the train cannot be moved now. */
export interface Obstacle {
  words: string
  /** The job that prevents it. */
  job: Job | null
}

export function useObstacle(moving: () => Job | undefined): ComputedRef<Obstacle | null> {
  const { connection } = useLive()
  const session = useSession()
  const freshness = useFreshness(connection)
  const because = (words: string, job: Job | null = null) => ({ words, job })
  return computed(() => {
    const job = moving()
    const type = session.jobType(TRAIN)
    if (freshness.value === 'stale') {
      return because('This page is not connected to SpiderPig.')
    }
    if (!session.mayStart.value) {
      return because(LOOK_ONLY)
    }
    if (session.jobTypes.value === null) {
      return because('The job types are not loaded yet.')
    }
    if (type === undefined) {
      return because(
        `The train cannot be moved: the configuration has no job type “${TRAIN}”, or you cannot start it. ` +
          'docs/http-api.md says what it needs.',
      )
    }
    if (type.disabled_reason !== null) {
      return because(type.disabled_reason)
    }
    return job === undefined ? null : because('Only one train job at a time:', job)
  })
}

/** Why a new job would not start immediately. */
export function waitWords({ runner }: Pick<Live, 'runner'>, lane: string | undefined): string | null {
  const { up = true, paused = null, lanes = {} } = runner.value ?? {}
  if (!up) {
    return 'The job runner is not running: the job will wait until it is started.'
  }
  if (paused !== null) {
    return `New jobs are paused: the job will wait until the pause ends. ${paused}`
  }
  const { holders = [], concurrency = 1, waiting = [] } = lanes[lane ?? ''] ?? {}
  const ahead = [...holders, ...waiting].map(({ job }) => `job ${job}`)
  return ahead.length < concurrency ? null : `It will wait in the queue behind ${ahead.join(', ')}.`
}
