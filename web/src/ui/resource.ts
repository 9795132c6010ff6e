import { onScopeDispose, shallowRef, type Ref, type ShallowRef } from 'vue'

import { isAbort } from '@/api/client.ts'
import { Retry } from '@/api/retry.ts'

/** What the API answers to a question that is asked again now and then. */
export interface Resource<T> {
  /** What it answered last; null until it has. */
  value: Readonly<ShallowRef<T | null>>
  /** Why there was no answer the last time. What was known before stays. */
  problem: Readonly<Ref<string | null>>
  /** When it is asked again by itself: see `Retry`. */
  retryAt: Readonly<Ref<number | null>>
  /** What was done last about it, as a sentence. */
  notice: Readonly<Ref<string | null>>
  /** Asks anew. An earlier attempt that is not answered yet is given up. */
  load: () => Promise<void>
  /** Says what was done about it, and loads what that has changed. */
  changed: (notice: string) => void
}

/** Asks when the component begins to live, whenever somebody wants it, and again until there is an answer. */
export function useResource<T>(request: (signal: AbortSignal) => Promise<T>): Resource<T> {
  const value = shallowRef<T | null>(null)
  const notice = shallowRef<string | null>(null)
  const retry = new Retry(() => void load())
  let attempt = new AbortController()

  async function load(): Promise<void> {
    attempt.abort()
    const { signal } = (attempt = new AbortController())
    try {
      const answer = await request(signal)
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

  function changed(words: string): void {
    notice.value = words
    void load()
  }

  onScopeDispose(() => {
    attempt.abort()
    retry.stop()
  })
  void load()
  return { value, problem: retry.problem, retryAt: retry.at, notice, load, changed }
}
