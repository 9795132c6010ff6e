import { shallowRef, watch, type Ref } from 'vue'

import { api, reasonOf } from '@/api/client.ts'
import type { Lookup } from '@/api/types.ts'

import { useLatest } from './latest.ts'

/** So many are asked for at once. */
const MOST = 50

/** Looks up the changes that somebody types or has chosen, each once. What was not found is looked up when it comes back. */
export function useLookups(inputs: () => string[]): {
  /** What is known of an input; undefined as long as it is being looked up. */
  lookupOf: (input: string) => Lookup | undefined
  isAsking: Readonly<Ref<boolean>>
} {
  const known = shallowRef<ReadonlyMap<string, Lookup>>(new Map())

  async function look(asked: string[], signal: AbortSignal): Promise<void> {
    let problem = 'SpiderPig has not said what it is'
    const found = await api.changes(asked, signal).catch((error: unknown): Lookup[] => {
      problem = reasonOf(error)
      return []
    })
    if (!signal.aborted) {
      const lookups = asked.map((input, place) => ({ change: null, problem, ...found[place], input }))
      known.value = new Map([...known.value, ...lookups.map((lookup) => [lookup.input, lookup] as const)])
    }
  }

  const { isAsking } = useLatest(
    () =>
      inputs()
        .filter((input) => !known.value.has(input))
        .slice(0, MOST),
    look,
  )

  watch(inputs, (inputs) => {
    known.value = new Map([...known.value].filter(([input, { change }]) => change !== null || inputs.includes(input)))
  })

  return { lookupOf: (input) => known.value.get(input), isAsking }
}
