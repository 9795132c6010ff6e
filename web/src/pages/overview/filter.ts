import type { LocationQuery, LocationQueryRaw, LocationQueryValue } from 'vue-router'

import type { JobFilter } from '@/api/client.ts'
import { isFinal, type JobState, type Outcome } from '@/api/types.ts'
import { FINAL_STATES, lookOf, OUTCOMES, STATES } from '@/text/jobState.ts'

/** Which jobs the history is to show. An empty member means any. */
export interface Filter {
  /** Jobs have both of what is asked for: those with one of these outcomes have one of these states. */
  outcomes: Outcome[]
  states: JobState[]
  user: string
  type: string
  /** Text in parameters and data. */
  text: string
}

/** What an address names these by. */
const NAMES = { outcomes: 'outcome', states: 'state', user: 'user', type: 'type', text: 'q' } as const

/** A filter's words in an address; a parameter of a job type cannot be filled in by these names. */
export const FILTER_NAMES: ReadonlySet<string> = new Set(Object.values(NAMES))

/** A word that can be chosen: jobs that ended so, or are so. */
export interface Word {
  value: string
  label: string
}

/** The value of an outcome or a state among the words. */
const outcomeWord = (outcome: Outcome): string => `outcome ${outcome}`
const stateWord = (state: JobState): string => `state ${state}`

const OPEN: Word = { value: 'open', label: 'Not finished' }
const OPEN_STATES = STATES.filter((state) => !isFinal(state))

const WORDS: readonly Word[] = [
  ...OUTCOMES.map((outcome) => {
    const [label = ''] = lookOf({ state: 'lost', outcome }).word.split(':')
    return { value: outcomeWord(outcome), label }
  }),
  // It never was a job, and so has no outcome.
  { value: stateWord('rejected'), label: 'Rejected' },
  OPEN,
]

/** The words that can be chosen, and those that only an address asks for. */
export function wordsOf(filter: Filter): Word[] {
  const others = chosenOf(filter).filter((value) => !WORDS.some((word) => word.value === value))
  return [...WORDS, ...others.map((value) => ({ value, label: value[0]?.toUpperCase() + value.slice(1) }))]
}

/** The words that are chosen. */
export function chosenOf({ outcomes, states }: Filter): string[] {
  const isOpen = OPEN_STATES.every((state) => states.includes(state))
  const others = isOpen ? states.filter(isFinal) : states
  return [...outcomes.map(outcomeWord), ...others.map(stateWord), ...(isOpen ? [OPEN.value] : [])]
}

/**
 * What is asked for when these words are chosen. Jobs that have an outcome, and jobs that have none, cannot be asked for
 * together: what was chosen last counts.
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

/** The filter that an address has. What it does not know it ignores. */
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

/** The address with this filter, and with what else it has. */
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

/** What the API is asked for. */
export function jobFilter(filter: Filter): JobFilter {
  const { outcomes, states, user, type, text } = filter
  const isAny = outcomes.length === 0 && states.length === 0
  // Without a choice the history has all that has ended.
  return { outcome: outcomes, state: isAny ? FINAL_STATES : states, user, type, q: text }
}

/** What an address has for a name, without values that are missing. */
export function valuesOf(value: LocationQueryValue | LocationQueryValue[] | undefined): string[] {
  return [value].flat().filter((value) => value !== null && value !== undefined)
}

function firstOf(value: LocationQueryValue | LocationQueryValue[] | undefined): string {
  return valuesOf(value)[0] ?? ''
}
