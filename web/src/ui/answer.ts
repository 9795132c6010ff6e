import { onScopeDispose, shallowRef, type ShallowRef } from 'vue'

import { isAbort, reasonOf } from '@/api/client.ts'

/** What the API answers to a question that is asked again now and then. */
export interface Answer<T> {
  /** What it answered last; null until it has. */
  value: Readonly<ShallowRef<T | null>>
  /** Why there was no answer the last time. What was known before stays. */
  problem: Readonly<ShallowRef<string | null>>
  /** Asks anew. An earlier attempt that is not answered yet is given up. */
  ask: () => Promise<void>
}

/** Asks when the component begins to live, and whenever somebody wants it. */
export function useAnswer<T>(question: (signal: AbortSignal) => Promise<T>): Answer<T> {
  const value = shallowRef<T | null>(null)
  const problem = shallowRef<string | null>(null)
  let attempt = new AbortController()

  async function ask(): Promise<void> {
    attempt.abort()
    const { signal } = (attempt = new AbortController())
    try {
      const answer = await question(signal)
      if (!signal.aborted) {
        value.value = answer
        problem.value = null
      }
    } catch (error) {
      if (!signal.aborted && !isAbort(error)) {
        problem.value = reasonOf(error)
      }
    }
  }

  onScopeDispose(() => attempt.abort())
  void ask()
  return { value, problem, ask }
}
