import type { Ref } from 'vue'

import type { Job } from '@/api/types.ts'

import { preference } from './preference.ts'

/** So many choices are kept: the last ones. */
const KEPT = 200

const isNumbers = (stored: unknown): stored is number[] => Array.isArray(stored) && stored.every(Number.isSafeInteger)

/** The numbers of jobs, the one that was chosen last at the end. */
const choice = (name: string): Ref<readonly number[]> => preference<readonly number[]>(name, [], isNumbers)

/** The jobs of others of which this person wants to be told. */
const watched = choice('watched')
/** Their own of which they do not. */
const unwatched = choice('unwatched')

/** Whether a job is one to tell this person of: they started it and did not choose otherwise, or chose to watch it. */
export function isWatched(job: Job, user: string | null | undefined): boolean {
  return job.user === user ? !unwatched.value.includes(job.id) : watched.value.includes(job.id)
}

/** Chooses whether this person is told of a job. */
export function setWatched(job: Job, user: string | null | undefined, isOn: boolean): void {
  const isOwn = job.user === user
  const chosen = isOwn ? unwatched : watched
  const others = chosen.value.filter((other) => other !== job.id)
  chosen.value = isOn === isOwn ? others : [...others, job.id].slice(-KEPT)
}
