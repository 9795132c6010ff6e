import { onScopeDispose, shallowRef, watch, type ShallowRef } from 'vue'

import { isAbort, reasonOf } from '@/api/client.ts'
import type { Live } from '@/state/live.ts'

/** What other programs report, as it was asked for last. */
export interface Latest<T> {
  /** Null until there was an answer. */
  value: Readonly<ShallowRef<T | null>>
  /** Why there was none the last time. What was known before stays. */
  problem: Readonly<ShallowRef<string | null>>
  ask: () => Promise<void>
}

/** Asks when the component begins to live, and whenever this tab is told what is reported: at a change, and anew. */
export function useLatest<T>(ask: (signal: AbortSignal) => Promise<T>, live: Pick<Live, 'monitoring'>): Latest<T> {
  const value = shallowRef<T | null>(null)
  const problem = shallowRef<string | null>(null)
  let attempt = new AbortController()

  async function askNow(): Promise<void> {
    attempt.abort()
    const { signal } = (attempt = new AbortController())
    try {
      const answer = await ask(signal)
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

  watch(live.monitoring, askNow)
  onScopeDispose(() => attempt.abort())
  void askNow()
  return { value, problem, ask: askNow }
}
