import { computed, onScopeDispose, shallowRef, watch, type ComputedRef, type Ref } from 'vue'

import { api, ApiError, isAbort } from '@/api/client.ts'
import { isFresh } from '@/api/events.ts'
import { Retry } from '@/api/retry.ts'
import type { Job } from '@/api/types.ts'
import { useLive } from '@/state/live.ts'

/** After a failure, the whole of a large job is requested again after this time, in milliseconds. */
const ASK_AGAIN = 5000

/** Why a job cannot be shown. */
export type JobProblem = { kind: 'missing' } | { kind: 'failed'; reason: string }

/**
 * The current state of a job: from the stream, or requested if it ended long ago. The stream follows its log.
 *
 * A failed request is repeated, and at once when the connection is back.
 */
export function useJob(id: () => number): {
  /** Null while it is unknown. */
  job: ComputedRef<Job | null>
  problem: Readonly<Ref<JobProblem | null>>
  /** When the request is repeated automatically: see `Retry`. */
  retryAt: Readonly<Ref<number | null>>
  ask: () => Promise<void>
} {
  const live = useLive()
  const isMissing = shallowRef(false)
  const retry = new Retry(() => void ask())
  /** The last known state, as the stream forgets old jobs. */
  const known = shallowRef<Job | null>(null)
  let attempt = new AbortController()

  /** The whole of a large job: the stream shortens long values. */
  const whole = shallowRef<Job | null>(null)
  let askAgain: ReturnType<typeof setTimeout> | undefined

  const streamed = computed(() => live.jobs.get(id()))
  const lastWord = computed(() => streamed.value ?? (known.value?.id === id() ? known.value : null))
  const job = computed(() => {
    const now = lastWord.value
    if (now?.truncated !== true || whole.value?.id !== now.id) {
      return now
    }
    const { params, data, command } = whole.value
    return { ...now, params, data, command, truncated: false }
  })

  /** Requests the whole job. Its long values never change once it runs. */
  async function askForWhole(large: number): Promise<void> {
    clearTimeout(askAgain)
    try {
      whole.value = await api.job(large, attempt.signal)
    } catch (error) {
      if (!isAbort(error) && lastWord.value?.id === large) {
        askAgain = setTimeout(() => void askForWhole(large), ASK_AGAIN)
      }
    }
  }

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

  // The state of one job says nothing about another.
  watch(id, () => retry.stop(), { flush: 'sync' })

  watch(
    streamed,
    (job) => {
      if (job !== undefined) {
        known.value = job
        retry.stop()
      }
    },
    { immediate: true },
  )
  watch(
    // Before the first snapshot it is unknown which jobs the stream contains.
    () => [id(), live.isReady.value && isFresh(live.connection.value) && streamed.value === undefined] as const,
    ([, isUnknown]) => isUnknown && void ask(),
    { immediate: true },
  )
  watch(
    // The command of a queued job may change before it starts.
    () => [lastWord.value?.truncated === true ? id() : null, lastWord.value?.state === 'queued'] as const,
    ([large]) => large !== null && void askForWhole(large),
    { immediate: true },
  )
  // The API refuses a stream for the log of a job that does not exist.
  watch(
    () => job.value?.id ?? null,
    (known) => live.follow(known),
    { immediate: true },
  )
  onScopeDispose(() => {
    clearTimeout(askAgain)
    attempt.abort()
    retry.stop()
    live.follow(null)
  })
  return { job, problem, retryAt: retry.at, ask }
}
