import { shallowRef } from 'vue'

import { isAbort } from '@/api/client.ts'
import { Retry } from '@/api/retry.ts'

import { nextOf } from './range.ts'

export type Found =
  { type: 'match'; recno: number } | { type: 'end'; matches: number; hidden: number; complete: boolean }

type Ask = (text: string, signal: AbortSignal) => AsyncIterable<Found>

/** After the last keystroke, in milliseconds. */
const PAUSE = 300
/** Between two updates of the matches, in milliseconds. */
const REPORT = 200
/**
 * Between two searches while the log grows: at least so many milliseconds, and so many times the duration of the last
 * one.
 */
const REST = 5000
const EASE = 10

const numbers = new Intl.NumberFormat('en-GB')

/** A search in the whole log, done by the API. Typing aborts the previous search. */
export class LogSearch {
  /** The text that is searched for. */
  readonly text = shallowRef('')
  /** The records of the matching lines found so far, in ascending order. */
  readonly hits = shallowRef<readonly number[]>([])
  /** The last jump target. */
  readonly current = shallowRef<number | null>(null)
  /** The number of matches in words, and what was not searched. */
  readonly summary = shallowRef('')

  readonly #ask: Ask
  readonly #retry = new Retry(() => this.retry())
  /** Why the last search failed, and when it is repeated automatically: see `Retry`. */
  readonly problem = this.#retry.problem
  readonly retryAt = this.#retry.at
  readonly #arrived: (recno: number) => void
  #controller = new AbortController()
  #timer: ReturnType<typeof setTimeout> | undefined
  /** The end of the last complete search. */
  #end: { hidden: number; complete: boolean } | null = null
  #isBusy = false
  /** How many records the log has, and how many it had at the last search. */
  #records = 0
  #searched = 0
  #rest = REST
  /** The step that the user took before there were matches. */
  #pendingStep: { from: number; direction: 1 | -1 } | null = null

  /** `arrived` is called with the match of a step that was taken before it was found. */
  constructor(ask: Ask, arrived: (recno: number) => void = () => undefined) {
    this.#ask = ask
    this.#arrived = arrived
  }

  /** Searches for another text, after a pause. */
  type(text: string): void {
    this.stop()
    this.text.value = text
    this.hits.value = []
    this.current.value = null
    this.#end = null
    this.#pendingStep = null
    this.summary.value = text === '' ? '' : 'Searching…'
    if (text !== '') {
      this.#runIn(PAUSE)
    }
  }

  /** The log has so many records now. The new ones will be searched. */
  grown(records: number): void {
    this.#records = records
    const isWhole = this.#end?.complete === true
    if (isWhole && !this.#isBusy && this.#timer === undefined && records > this.#searched) {
      this.#runIn(this.#rest)
    }
  }

  /** Retries a failed search, and keeps its matches meanwhile. */
  retry(): void {
    if (this.problem.value !== null) {
      this.#giveUp()
      this.#runIn(0)
    }
  }

  /** Searches again, because the content has changed. */
  again(): void {
    this.type(this.text.value)
  }

  stop(): void {
    this.#giveUp()
    this.#retry.stop()
  }

  #giveUp(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#controller.abort()
    this.#isBusy = false
  }

  /** Goes to the next match after or before a record. Returns its record; null if there is none yet. */
  step(from: number, direction: 1 | -1): number | null {
    if (this.hits.value.length === 0 && this.#end === null && this.text.value !== '') {
      this.#pendingStep = { from, direction }
      return null
    }
    this.current.value = nextOf(this.hits.value, from, direction)
    this.#summarise()
    return this.current.value
  }

  #runIn(pause: number): void {
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      void this.#run()
    }, pause)
  }

  async #run(): Promise<void> {
    this.#controller = new AbortController()
    const { signal } = this.#controller
    const began = performance.now()
    const hits: number[] = []
    this.#isBusy = true
    this.#searched = this.#records
    try {
      await this.#find(hits, signal)
    } catch (error) {
      if (isAbort(error) || signal.aborted) {
        return
      }
      this.#retry.failed(error)
      this.#report(this.#end === null ? hits : this.hits.value)
    }
    this.#isBusy = false
    this.#rest = Math.max(REST, EASE * (performance.now() - began))
    this.grown(this.#records)
  }

  /** Searches once. Earlier matches are shown until it is done. */
  async #find(hits: number[], signal: AbortSignal): Promise<void> {
    let reportAt = performance.now() + REPORT
    for await (const found of this.#ask(this.text.value, signal)) {
      signal.throwIfAborted()
      if (found.type === 'end') {
        this.#end = found
        this.#retry.succeeded()
        this.#report(hits)
        return
      }
      hits.push(found.recno)
      if (this.#end === null && performance.now() > reportAt) {
        this.#report(hits)
        reportAt = performance.now() + REPORT
      }
    }
    throw new Error('The search was interrupted, so there may be more matches')
  }

  #report(hits: readonly number[]): void {
    this.hits.value = [...hits]
    const pending = this.#pendingStep
    if (pending !== null && (hits.length > 0 || this.#end !== null)) {
      this.#pendingStep = null
      const recno = this.step(pending.from, pending.direction)
      if (recno !== null) {
        this.#arrived(recno)
      }
    }
    this.#summarise()
  }

  #summarise(): void {
    const { length } = this.hits.value
    const isCut = this.#end !== null && !this.#end.complete
    const count = numbers.format(length) + (isCut ? '+' : '')
    const place = this.current.value === null ? -1 : this.hits.value.indexOf(this.current.value)
    // Without matches so far, “no match” is certain only after the whole search.
    const isOpen = length === 0 && this.#end === null
    const found = place >= 0 ? `${numbers.format(place + 1)} of ${count}` : countWords(count)
    const parts = [
      isOpen ? '' : found,
      this.#end === null && this.problem.value === null ? 'searching…' : '',
      isCut ? 'only a part of the log was searched' : '',
      this.#end && this.#end.hidden > 0 ? notSearched(this.#end.hidden) : '',
    ]
    this.summary.value = parts.filter((part) => part !== '').join('; ')
  }
}

function countWords(count: string): string {
  if (count === '0' || count === '0+') {
    return 'no match'
  }
  return count === '1' ? '1 match' : `${count} matches`
}

function notSearched(hidden: number): string {
  return hidden === 1 ? '1 hidden line was not searched' : `${numbers.format(hidden)} hidden lines were not searched`
}
