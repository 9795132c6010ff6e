import type { Job, Runner } from '@/api/types.ts'

/** A job in the queue, and the reason for waiting. */
export interface WaitingJob {
  job: Job
  /** Its position in the lane, from 1. */
  position: number
  /** The reason in words. Null if it is unknown. */
  waitingFor: string | null
}

/** A lane with waiting jobs, in their order. */
export interface WaitingLane {
  /** Null for jobs whose type is no longer declared, and that the runner has not seen. */
  name: string | null
  jobs: WaitingJob[]
}

/**
 * The queue by lanes, with the reason why each job waits.
 *
 * The runner reports it for the jobs that it knows, and its report is newer than the jobs' own. Jobs that it has not
 * seen yet follow, with their own values. Jobs that have been claimed meanwhile do not count.
 */
export function waitingLanes(
  jobs: Iterable<Job>,
  runner: Runner | null,
  laneOf: (type: string) => string | undefined,
): WaitingLane[] {
  const queued = new Map<number, Job>()
  for (const job of jobs) {
    if (job.state === 'queued') {
      queued.set(job.id, job)
    }
  }
  const lanes = new Map<string | null, Omit<WaitingJob, 'position'>[]>()
  const put = (lane: string | null, job: Job, waitingFor: string | null) => {
    lanes.set(lane, [...(lanes.get(lane) ?? []), { job, waitingFor }])
    queued.delete(job.id)
  }
  for (const [name, { waiting }] of Object.entries(runner?.lanes ?? {})) {
    for (const { job: id, waiting_for } of waiting) {
      const job = queued.get(id)
      if (job !== undefined) {
        put(name, job, waiting_for ?? job.waiting_for)
      }
    }
  }
  for (const job of [...queued.values()].sort(byPosition)) {
    put(laneOf(job.type) ?? null, job, job.waiting_for)
  }
  return [...lanes]
    .map(([name, jobs]) => ({ name, jobs: jobs.map((waiting, place) => ({ ...waiting, position: place + 1 })) }))
    .sort((a, b) => (a.name ?? '').localeCompare(b.name ?? ''))
}

function byPosition(a: Job, b: Job): number {
  return (a.position ?? Number.MAX_SAFE_INTEGER) - (b.position ?? Number.MAX_SAFE_INTEGER) || a.id - b.id
}
