import type { Job, Runner } from '@/api/types.ts'

/** A job in the queue, and what it waits for. */
export interface WaitingJob {
  job: Job
  /** Its place in the lane, from 1. */
  position: number
  /** In words. Null if nobody knows. */
  waitingFor: string | null
}

/** The jobs that wait for each other, in their order. */
export interface WaitingLane {
  /** Null for jobs of a type that is not declared any more, and that the runner has not seen. */
  name: string | null
  jobs: WaitingJob[]
}

/**
 * Who waits where, and why.
 *
 * The runner says it for the jobs that it knows, and what it tells is newer than what was told with a job. Those that it has
 * not seen yet come behind them, with what was told with them. Those that are claimed in the meantime are not counted.
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
