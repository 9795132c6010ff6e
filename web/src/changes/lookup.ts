import { shallowRef, watch } from 'vue'

import { api, reasonOf } from '@/api/client.ts'
import type { Lookup } from '@/api/types.ts'

import { useLatest } from './latest.ts'

/** So many are asked for at once. */
const MOST = 50

/**
 * Looks up the changes that somebody has chosen, and the one that they type: apart, as nobody who types is to wait for a
 * change that Gerrit is slow about. Each is looked up once; what was not found is looked up again when it comes back, and
 * what could not be asked for until there is an answer.
 *
 * Returned is what is known of an input; undefined as long as it is being looked up.
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

  /** What could not be asked for. What is known of it is only why. */
  const failed = new Set<string>()
  const isUnknown = (input: string) => !known.value.has(input) || failed.has(input)
  const candidates = () => [typed() ?? []].flat()
  useLatest(() => chosen().filter(isUnknown).slice(0, MOST), look)
  useLatest(() => candidates().filter(isUnknown), look)

  watch(
    () => [...chosen(), ...candidates()],
    (inputs) => {
      known.value = new Map([...known.value].filter(([input, { change }]) => change !== null || inputs.includes(input)))
    },
  )

  return (input) => known.value.get(input)
}
