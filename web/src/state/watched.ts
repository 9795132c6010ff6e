import type { Job } from '@/api/types.ts'

import { preference } from './preference.ts'

/** So many jobs are watched at most: those that were chosen last. */
const KEPT = 200

const isNumbers = (stored: unknown): stored is number[] => Array.isArray(stored) && stored.every(Number.isSafeInteger)

/** The numbers of the jobs that this person chose to watch, the last one last. */
const watched = preference<readonly number[]>('watched', [], isNumbers)

/** Whether this person chose to watch a job. */
export function isWatched(job: number): boolean {
  return watched.value.includes(job)
}

/** Watches a job, or does not any more. */
export function setWatched(job: number, isOn: boolean): void {
  const others = watched.value.filter((other) => other !== job)
  watched.value = isOn ? [...others, job].slice(-KEPT) : others
}

/** Whether a job is one to tell this person of: they started it, or chose to watch it. */
export function concerns(job: Job, user: string | null | undefined): boolean {
  return job.user === user || isWatched(job.id)
}
