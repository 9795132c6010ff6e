import { onScopeDispose, shallowRef, type Ref, type ShallowRef } from 'vue'

import { isAbort } from '@/api/client.ts'
import { Retry } from '@/api/retry.ts'

/** What the API answers to a question that is asked again now and then. */
export interface Answer<T> {
  /** What it answered last; null until it has. */
  value: Readonly<ShallowRef<T | null>>
  /** Why there was no answer the last time. What was known before stays. */
  problem: Readonly<Ref<string | null>>
  /** When it is asked again by itself: see `Retry`. */
  retryAt: Readonly<Ref<number | null>>
  /** Asks anew. An earlier attempt that is not answered yet is given up. */
  ask: () => Promise<void>
}

/** Asks when the component begins to live, whenever somebody wants it, and again until there is an answer. */
export function useAnswer<T>(question: (signal: AbortSignal) => Promise<T>): Answer<T> {
  const value = shallowRef<T | null>(null)
  const retry = new Retry(() => void ask())
  let attempt = new AbortController()

  async function ask(): Promise<void> {
    attempt.abort()
    const { signal } = (attempt = new AbortController())
    try {
      const answer = await question(signal)
      if (!signal.aborted) {
        value.value = answer
        retry.succeeded()
      }
    } catch (error) {
      if (!signal.aborted && !isAbort(error)) {
        retry.failed(error)
      }
    }
  }

  onScopeDispose(() => {
    attempt.abort()
    retry.stop()
  })
  void ask()
  return { value, problem: retry.problem, retryAt: retry.at, ask }
}
