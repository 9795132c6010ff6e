import type { LocationQuery, LocationQueryRaw, LocationQueryValue } from 'vue-router'

import type { JobFilter } from '@/api/client.ts'
import { isFinal, type JobState } from '@/api/types.ts'
import { STATES } from '@/ui/state.ts'

/** Which jobs the history is to show. An empty member means any. */
export interface Filter {
  states: JobState[]
  user: string
  type: string
  /** Text in parameters and data. */
  text: string
}

/** What an address names these by. */
const NAMES = { states: 'state', user: 'user', type: 'type', text: 'q' } as const

/** A filter's words in an address; a parameter of a job type cannot be filled in by these names. */
export const FILTER_NAMES: ReadonlySet<string> = new Set(Object.values(NAMES))

/** The states that a history has unless it is asked for others. */
export const FINAL_STATES = STATES.filter(isFinal)

/** The filter that an address has. What it does not know it ignores. */
export function filterOf(query: LocationQuery): Filter {
  const states = valuesOf(query[NAMES.states])
  return {
    states: STATES.filter((state) => states.includes(state)),
    user: firstOf(query[NAMES.user]),
    type: firstOf(query[NAMES.type]),
    text: firstOf(query[NAMES.text]),
  }
}

/** The address with this filter, and with what else it has. */
export function withFilter(query: LocationQuery, filter: Filter): LocationQueryRaw {
  const others = Object.entries(query).filter(([name]) => !FILTER_NAMES.has(name))
  const words: [string, string | string[]][] = [
    [NAMES.states, filter.states],
    [NAMES.user, filter.user],
    [NAMES.type, filter.type],
    [NAMES.text, filter.text],
  ]
  return Object.fromEntries([...others, ...words.filter(([, value]) => value.length > 0)])
}

/** What the API is asked for. */
export function jobFilter(filter: Filter): JobFilter {
  const { states, user, type, text } = filter
  return { state: states.length > 0 ? states : FINAL_STATES, user, type, q: text }
}

/** What an address has for a name, without values that are missing. */
export function valuesOf(value: LocationQueryValue | LocationQueryValue[] | undefined): string[] {
  return [value].flat().filter((value) => value !== null && value !== undefined)
}

function firstOf(value: LocationQueryValue | LocationQueryValue[] | undefined): string {
  return valuesOf(value)[0] ?? ''
}
