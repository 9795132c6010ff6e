import { onScopeDispose, shallowRef, type Ref, type ShallowRef } from 'vue'

import { isAbort } from '@/api/client.ts'
import { Retry } from '@/api/retry.ts'

/** Something that is loaded from the API, and loaded again when it has changed. */
export interface Resource<T> {
  /** The last answer; null before the first. */
  value: Readonly<ShallowRef<T | null>>
  /** Why the last request failed. The last answer stays. */
  problem: Readonly<Ref<string | null>>
  /** When the request is repeated automatically: see `Retry`. */
  retryAt: Readonly<Ref<number | null>>
  /** The last change that the user made, as a sentence. */
  notice: Readonly<Ref<string | null>>
  /** Loads it again, and aborts an earlier request. */
  load: () => Promise<void>
  /** Shows what the user has changed, and loads it again. */
  changed: (notice: string) => void
}

/** Loads a resource when the component is created and on demand, and repeats failed requests. */
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
