import type { Ref } from 'vue'

import type { Job } from '@/api/types.ts'

import { preference } from './preference.ts'

/** How many choices are kept, the newest ones. */
const KEPT = 200

const isNumbers = (stored: unknown): stored is number[] => Array.isArray(stored) && stored.every(Number.isSafeInteger)

/** Numbers of jobs, the latest choice last. */
const choice = (name: string): Ref<readonly number[]> => preference<readonly number[]>(name, [], isNumbers)

/** Jobs of others that the user watches. */
const watched = choice('watched')
/** The user's own jobs that they do not watch. */
const unwatched = choice('unwatched')

/** Whether the user watches a job: they started it and did not switch that off, or chose to watch it. */
export function isWatched(job: Job, user: string | null | undefined): boolean {
  return job.user === user ? !unwatched.value.includes(job.id) : watched.value.includes(job.id)
}

/** Sets whether the user watches a job. */
export function setWatched(job: Job, user: string | null | undefined, isOn: boolean): void {
  const isOwn = job.user === user
  const chosen = isOwn ? unwatched : watched
  const others = chosen.value.filter((other) => other !== job.id)
  chosen.value = isOn === isOwn ? others : [...others, job.id].slice(-KEPT)
}
