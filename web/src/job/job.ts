import { computed, onScopeDispose, shallowRef, watch, type ComputedRef, type Ref } from 'vue'

import { api, ApiError, isAbort, reasonOf } from '@/api/client.ts'
import type { Job } from '@/api/types.ts'
import { useLive } from '@/state/live.ts'

/** Why a job cannot be shown. */
export type JobProblem = { kind: 'missing' } | { kind: 'failed'; reason: string }

/**
 * A job as it is now: told by the stream, or asked for if it ended long ago. The stream follows its log.
 *
 * What could not be asked for is asked for again when the connection is back.
 */
export function useJob(id: () => number): {
  /** Null as long as it is not known. */
  job: ComputedRef<Job | null>
  problem: Readonly<Ref<JobProblem | null>>
  ask: () => Promise<void>
} {
  const live = useLive()
  const problem = shallowRef<JobProblem | null>(null)
  /** The last word of it: the stream forgets old jobs. */
  const known = shallowRef<Job | null>(null)
  let attempt = new AbortController()

  const told = computed(() => live.jobs.get(id()))
  const job = computed(() => told.value ?? (known.value?.id === id() ? known.value : null))

  async function ask(): Promise<void> {
    attempt.abort()
    attempt = new AbortController()
    problem.value = null
    try {
      live.learn(await api.job(id(), attempt.signal))
    } catch (error) {
      if (isAbort(error)) {
        return
      }
      const isMissing = error instanceof ApiError && error.status === 404
      problem.value = isMissing ? { kind: 'missing' } : { kind: 'failed', reason: reasonOf(error) }
      known.value = isMissing ? null : known.value
    }
  }

  watch(
    told,
    (job) => {
      if (job !== undefined) {
        known.value = job
        problem.value = null
      }
    },
    { immediate: true },
  )
  watch(
    // Before the first snapshot nobody knows what the stream will tell.
    () => [id(), live.isReady.value && live.connection.value.state === 'live' && told.value === undefined] as const,
    ([, isUnknown]) => isUnknown && void ask(),
    { immediate: true },
  )
  // There is no log of a job that does not exist, and no stream for who asks for it.
  watch(
    () => job.value?.id ?? null,
    (known) => live.follow(known),
    { immediate: true },
  )
  onScopeDispose(() => {
    attempt.abort()
    live.follow(null)
  })
  return { job, problem, ask }
}
