import { onScopeDispose, shallowRef, watch, type Ref } from 'vue'

import { Retry } from '@/api/retry.ts'

/** From the last change of the texts until the request, in milliseconds, so that half a number is not looked up. */
export const PAUSE = 250

/** The answer to a request whose texts change. */
export interface DebouncedRequest<Answer> {
  /** The last answer. It belongs to the current texts unless `isAsking`. */
  readonly answer: Readonly<Ref<Answer | null>>
  /** Why the current request failed. */
  readonly problem: Readonly<Ref<string | null>>
  /** When the request is repeated automatically: see `Retry`. `isAsking` is false meanwhile. */
  readonly retryAt: Readonly<Ref<number | null>>
  /** Whether the current request waits for its answer. */
  readonly isAsking: Readonly<Ref<boolean>>
  /** Requests now, even if there is an answer. */
  ask: () => void
  /** Waits until no request is under way. */
  settled: () => Promise<void>
}

/**
 * Sends a request about texts whenever they change, shortly after the last change. The previous request is aborted, so
 * a late answer never replaces a newer one. Without texts there is no request.
 */
export function useDebouncedRequest<Answer>(
  texts: () => string[],
  send: (texts: string[], signal: AbortSignal) => Promise<Answer>,
): DebouncedRequest<Answer> {
  const answer = shallowRef<Answer | null>(null)
  const retry = new Retry(() => void (running = attend(attempt.signal)))
  const isAsking = shallowRef(false)
  let attempt = new AbortController()
  let running = Promise.resolve()
  let timer: ReturnType<typeof setTimeout> | undefined

  function giveUp(): void {
    clearTimeout(timer)
    timer = undefined
    attempt.abort()
    attempt = new AbortController()
    retry.stop()
    isAsking.value = false
  }

  function ask(): void {
    giveUp()
    if (texts().length > 0) {
      isAsking.value = true
      running = attend(attempt.signal)
    }
  }

  async function attend(signal: AbortSignal): Promise<void> {
    try {
      const got = await send(texts(), signal)
      if (!signal.aborted) {
        answer.value = got
        retry.succeeded()
        isAsking.value = false
      }
    } catch (error) {
      if (!signal.aborted) {
        answer.value = null
        retry.failed(error)
        isAsking.value = false
      }
    }
  }

  async function settled(): Promise<void> {
    while (isAsking.value) {
      if (timer !== undefined) {
        ask()
      }
      await running
    }
  }

  watch(
    () => JSON.stringify(texts()),
    () => {
      giveUp()
      if (texts().length === 0) {
        answer.value = null
      } else {
        isAsking.value = true
        timer = setTimeout(ask, PAUSE)
      }
    },
    { immediate: true, flush: 'sync' },
  )
  onScopeDispose(giveUp)

  return { answer, problem: retry.problem, retryAt: retry.at, isAsking, ask, settled }
}
