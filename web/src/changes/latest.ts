import { onScopeDispose, shallowRef, watch, type Ref } from 'vue'

import { Retry } from '@/api/retry.ts'

/** Nobody wants to know about the first half of a number. In milliseconds after the last change. */
export const PAUSE = 250

/** The answer to a question that changes. */
export interface Latest<Answer> {
  /** The last one that came. It is that to the present question, unless that is being asked. */
  readonly answer: Readonly<Ref<Answer | null>>
  /** Why the present question could not be asked. */
  readonly problem: Readonly<Ref<string | null>>
  /** When it is asked again by itself: see `Retry`. Nobody is kept waiting by that. */
  readonly retryAt: Readonly<Ref<number | null>>
  /** Whether the present question waits for its answer. */
  readonly isAsking: Readonly<Ref<boolean>>
  /** Asks now, also if there is an answer. */
  ask: () => void
  /** Waits until nothing is being asked any more. */
  settled: () => Promise<void>
}

/**
 * Asks something about texts whenever they change, a moment after the last change. The question before is given up then,
 * so a late answer never replaces a newer one. About no texts nothing is asked.
 */
export function useLatest<Answer>(
  texts: () => string[],
  send: (texts: string[], signal: AbortSignal) => Promise<Answer>,
): Latest<Answer> {
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
