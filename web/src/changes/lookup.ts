import { shallowRef, watch } from 'vue'

import { api, reasonOf } from '@/api/client.ts'
import type { Lookup } from '@/api/types.ts'

import { useLatest } from './latest.ts'

/** So many are asked for at once. */
const MOST = 50

/**
 * Looks up the changes that somebody has chosen, and the one that they type: apart, as nobody who types is to wait for a
 * change that Gerrit is slow about. Each is looked up once; what was not found is looked up again when it comes back.
 *
 * Returned is what is known of an input; undefined as long as it is being looked up.
 */
export function useLookups(chosen: () => string[], typed: () => string | null): (input: string) => Lookup | undefined {
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

  const isUnknown = (input: string) => !known.value.has(input)
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
