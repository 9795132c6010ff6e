import type { LocationQuery, LocationQueryRaw, LocationQueryValue } from 'vue-router'

import type { JobFilter } from '@/api/client.ts'
import { isFinal, type JobState, type Outcome } from '@/api/types.ts'
import { FINAL_STATES, lookOf, OUTCOMES, STATES } from '@/text/jobState.ts'

/** Which jobs the history shows. An empty member means any. */
export interface Filter {
  /** A job must have one of these outcomes and one of these states. */
  outcomes: Outcome[]
  states: JobState[]
  user: string
  type: string
  /** Text in parameters and data. */
  text: string
}

/** Their names in an address. */
const NAMES = { outcomes: 'outcome', states: 'state', user: 'user', type: 'type', text: 'q' } as const

/** The names of the filter in an address. Parameters of a job type with these names cannot be filled in. */
export const FILTER_NAMES: ReadonlySet<string> = new Set(Object.values(NAMES))

/** A choice of the filter: an outcome or a state. */
export interface Word {
  value: string
  label: string
}

/** The value of an outcome or a state among the choices. */
const outcomeWord = (outcome: Outcome): string => `outcome ${outcome}`
const stateWord = (state: JobState): string => `state ${state}`

const OPEN: Word = { value: 'open', label: 'Not finished' }
const OPEN_STATES = STATES.filter((state) => !isFinal(state))

const WORDS: readonly Word[] = [
  ...OUTCOMES.map((outcome) => {
    const [label = ''] = lookOf({ state: 'lost', outcome }).word.split(':')
    return { value: outcomeWord(outcome), label }
  }),
  // Rejected files never were jobs, so they have no outcome.
  { value: stateWord('rejected'), label: 'Rejected' },
  OPEN,
]

/** All choices, and those that only an address can contain. */
export function wordsOf(filter: Filter): Word[] {
  const others = chosenOf(filter).filter((value) => !WORDS.some((word) => word.value === value))
  return [...WORDS, ...others.map((value) => ({ value, label: value[0]?.toUpperCase() + value.slice(1) }))]
}

/** The choices that are selected. */
export function chosenOf({ outcomes, states }: Filter): string[] {
  const isOpen = OPEN_STATES.every((state) => states.includes(state))
  const others = isOpen ? states.filter(isFinal) : states
  return [...outcomes.map(outcomeWord), ...others.map(stateWord), ...(isOpen ? [OPEN.value] : [])]
}

/**
 * The filter for these choices. The API cannot list jobs with an outcome and jobs without one together, so the last
 * choice counts.
 */
export function choose(filter: Filter, words: readonly string[]): Pick<Filter, 'outcomes' | 'states'> {
  const before = chosenOf(filter)
  const added = words.find((word) => !before.includes(word))
  const outcomes = OUTCOMES.filter((outcome) => words.includes(outcomeWord(outcome)))
  const states = STATES.filter(
    (state) => words.includes(stateWord(state)) || (words.includes(OPEN.value) && OPEN_STATES.includes(state)),
  )
  if (added === undefined) {
    return { outcomes, states }
  }
  const isOutcome = outcomes.some((outcome) => outcomeWord(outcome) === added)
  return isOutcome ? { outcomes, states: [] } : { outcomes: [], states }
}

/** The filter in an address. Unknown values are ignored. */
export function filterOf(query: LocationQuery): Filter {
  const outcomes = valuesOf(query[NAMES.outcomes])
  const states = valuesOf(query[NAMES.states])
  return {
    outcomes: OUTCOMES.filter((outcome) => outcomes.includes(outcome)),
    states: STATES.filter((state) => states.includes(state)),
    user: firstOf(query[NAMES.user]),
    type: firstOf(query[NAMES.type]),
    text: firstOf(query[NAMES.text]),
  }
}

/** The address with this filter. Its other parts stay. */
export function withFilter(query: LocationQuery, filter: Filter): LocationQueryRaw {
  const others = Object.entries(query).filter(([name]) => !FILTER_NAMES.has(name))
  const words: [string, string | string[]][] = [
    [NAMES.outcomes, filter.outcomes],
    [NAMES.states, filter.states],
    [NAMES.user, filter.user],
    [NAMES.type, filter.type],
    [NAMES.text, filter.text],
  ]
  return Object.fromEntries([...others, ...words.filter(([, value]) => value.length > 0)])
}

/** The filter as the API takes it. */
export function jobFilter(filter: Filter): JobFilter {
  const { outcomes, states, user, type, text } = filter
  const isAny = outcomes.length === 0 && states.length === 0
  // Without a choice, the history shows all jobs that have ended.
  return { outcome: outcomes, state: isAny ? FINAL_STATES : states, user, type, q: text }
}

/** The values of a name in an address, without missing ones. */
export function valuesOf(value: LocationQueryValue | LocationQueryValue[] | undefined): string[] {
  return [value].flat().filter((value) => value !== null && value !== undefined)
}

function firstOf(value: LocationQueryValue | LocationQueryValue[] | undefined): string {
  return valuesOf(value)[0] ?? ''
}
