import { computed, onScopeDispose, shallowRef, watch, type ComputedRef, type Ref } from 'vue'

import { api, ApiError, isAbort } from '@/api/client.ts'
import { isFresh } from '@/api/events.ts'
import type { Job } from '@/api/types.ts'
import { useLive } from '@/state/live.ts'
import { Retry } from '@/state/retry.ts'

/** Why a job cannot be shown. */
export type JobProblem = { kind: 'missing' } | { kind: 'failed'; reason: string }

/**
 * A job as it is now: told by the stream, or asked for if it ended long ago. The stream follows its log.
 *
 * What could not be asked for is asked for again, and at once when the connection is back.
 */
export function useJob(id: () => number): {
  /** Null as long as it is not known. */
  job: ComputedRef<Job | null>
  problem: Readonly<Ref<JobProblem | null>>
  /** When it is asked for again by itself: see `Retry`. */
  retryAt: Readonly<Ref<number | null>>
  ask: () => Promise<void>
} {
  const live = useLive()
  const isMissing = shallowRef(false)
  const retry = new Retry(() => void ask())
  /** The last word of it: the stream forgets old jobs. */
  const known = shallowRef<Job | null>(null)
  let attempt = new AbortController()

  const told = computed(() => live.jobs.get(id()))
  const job = computed(() => told.value ?? (known.value?.id === id() ? known.value : null))

  async function ask(): Promise<void> {
    attempt.abort()
    attempt = new AbortController()
    try {
      live.learn(await api.job(id(), attempt.signal))
      retry.succeeded()
    } catch (error) {
      if (isAbort(error)) {
        return
      }
      retry.failed(error)
      isMissing.value = error instanceof ApiError && error.status === 404
      known.value = isMissing.value ? null : known.value
    }
  }

  const problem = computed((): JobProblem | null => {
    const reason = retry.problem.value
    return reason === null ? null : isMissing.value ? { kind: 'missing' } : { kind: 'failed', reason }
  })

  // What is known of one job says nothing about another.
  watch(id, () => retry.stop(), { flush: 'sync' })

  watch(
    told,
    (job) => {
      if (job !== undefined) {
        known.value = job
        retry.stop()
      }
    },
    { immediate: true },
  )
  watch(
    // Before the first snapshot nobody knows what the stream will tell.
    () => [id(), live.isReady.value && isFresh(live.connection.value) && told.value === undefined] as const,
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
    retry.stop()
    live.follow(null)
  })
  return { job, problem, retryAt: retry.at, ask }
}
