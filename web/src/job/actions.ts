import { isFinal, type Job, type JobType } from '@/api/types.ts'

/** Why an ended job cannot be retried. Null if it can. */
export function retryObstacle(jobType: JobType | undefined): string | null {
  if (jobType === undefined) {
    return 'Its job type is no longer in the configuration.'
  }
  return jobType.retry ? jobType.disabled_reason : 'Jobs of this type cannot be retried. Start a new one.'
}

/** The label of the stop button. Null if the job has ended. */
export function stopLabel(job: Job): string | null {
  if (isFinal(job.state)) {
    return null
  }
  const words: Partial<Record<Job['state'], string>> = { queued: 'Cancel', stopping: 'Stop again' }
  return words[job.state] ?? 'Stop'
}
