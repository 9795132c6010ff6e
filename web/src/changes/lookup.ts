import { shallowRef, watch } from 'vue'

import { api, reasonOf } from '@/api/client.ts'
import type { Lookup } from '@/api/types.ts'

import { useDebouncedRequest } from './debouncedRequest.ts'

/** How many changes one request is for. */
const MOST = 50

/**
 * Looks up the chosen changes and the typed one, in separate requests, so that typing does not wait for a slow lookup.
 * Each change is looked up once. A change that was not found is looked up again when it is entered again, and a failed
 * request is repeated until there is an answer.
 *
 * Returns what is known of an input; undefined while it is being looked up.
 */
export function useLookups(chosen: () => string[], typed: () => string | null): (input: string) => Lookup | undefined {
  const known = shallowRef<ReadonlyMap<string, Lookup>>(new Map())

  async function look(asked: string[], signal: AbortSignal): Promise<void> {
    const learn = (found: Lookup[], problem: string) => {
      const lookups = asked.map((input, place) => ({ change: null, problem, ...found[place], input }))
      known.value = new Map([...known.value, ...lookups.map((lookup) => [lookup.input, lookup] as const)])
    }
    try {
      const found = await api.changes(asked, signal)
      if (!signal.aborted) {
        asked.forEach((input) => failed.delete(input))
        learn(found, 'SpiderPig did not return this change')
      }
    } catch (error) {
      if (!signal.aborted) {
        asked.forEach((input) => failed.add(input))
        learn([], reasonOf(error))
      }
      throw error
    }
  }

  /** Inputs whose request failed. Only the reason is known of them. */
  const failed = new Set<string>()
  const isUnknown = (input: string) => !known.value.has(input) || failed.has(input)
  const candidates = () => [typed() ?? []].flat()
  useDebouncedRequest(() => chosen().filter(isUnknown).slice(0, MOST), look)
  useDebouncedRequest(() => candidates().filter(isUnknown), look)

  watch(
    () => [...chosen(), ...candidates()],
    (inputs) => {
      known.value = new Map([...known.value].filter(([input, { change }]) => change !== null || inputs.includes(input)))
    },
  )

  return (input) => known.value.get(input)
}
