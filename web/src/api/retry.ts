import { readonly, shallowRef, type Ref } from 'vue'

import { ApiError, reasonOf } from './client.ts'
import { serverTime } from './serverTime.ts'

/** Between two attempts, in milliseconds. It doubles up to the longest, and a part of it is chance: all pages lose the API together. */
const FIRST_PAUSE = 1000
const LONGEST_PAUSE = 30_000

/** Refusals that are over when it is asked again: too late, to another server, too early, too often. */
const PASSING: ReadonlySet<number> = new Set([408, 421, 425, 429])

/** Whether the same question has the same answer for as long as nobody changes something. */
function isFinal(error: unknown): boolean {
  return error instanceof ApiError && error.status >= 400 && error.status < 500 && !PASSING.has(error.status)
}

/**
 * Asks again by itself what could not be asked, with growing pauses, until there is an answer.
 *
 * Only for questions: what changes something is sent by people, and never a second time by itself. While nobody sees the
 * page nothing is asked: what is due then is asked when somebody looks.
 */
export class Retry {
  readonly #again: () => void
  readonly #problem = shallowRef<string | null>(null)
  readonly #at = shallowRef<number | null>(null)
  #failures = 0
  /** When it is asked again, by the clock of the browser. */
  #due = Infinity
  /** Not before that it may be asked again, whatever happens. */
  #soonest = 0
  #timer: ReturnType<typeof setTimeout> | undefined

  /** Why there was no answer the last time. */
  readonly problem: Readonly<Ref<string | null>> = readonly(this.#problem)
  /** When it is asked again, in milliseconds since the epoch by the clock of the API, or was, if that is under way. Null if only people do that. */
  readonly at: Readonly<Ref<number | null>> = readonly(this.#at)

  /** `again` asks, and says how that went: `failed` or `succeeded`. */
  constructor(again: () => void) {
    this.#again = again
  }

  /** There was no answer. Also an answer that will be the same again is told, but is not asked for again. */
  failed(error: unknown): void {
    this.#rest()
    this.#problem.value = reasonOf(error)
    if (isFinal(error)) {
      this.#at.value = null
      return
    }
    this.#failures += 1
    const wanted = error instanceof ApiError ? (error.retryAfter ?? 0) * 1000 : 0
    const longest = Math.min(FIRST_PAUSE * 2 ** (this.#failures - 1), LONGEST_PAUSE)
    this.#soonest = Date.now() + Math.max(FIRST_PAUSE, wanted)
    this.#wait(Date.now() + Math.max(wanted, longest * (0.5 + Math.random() / 2)))
  }

  succeeded(): void {
    this.stop()
  }

  /** There is a new reason to ask: that is done soon, if it is not being done. */
  hasten(): void {
    if (this.#timer !== undefined && this.#due > this.#soonest) {
      this.#rest()
      this.#wait(this.#soonest)
    }
  }

  /** What waits to be asked again is asked now. */
  readonly now = (): void => {
    if (this.#timer !== undefined) {
      this.#rest()
      this.#again()
    }
  }

  /** Nothing is wrong any more, or nobody wants to know. */
  stop(): void {
    this.#rest()
    this.#failures = 0
    this.#problem.value = null
    this.#at.value = null
  }

  #wait(at: number): void {
    const pause = Math.max(0, at - Date.now())
    this.#due = at
    this.#at.value = serverTime() + pause
    this.#timer = setTimeout(this.#run, pause)
    window.addEventListener('online', this.now)
  }

  readonly #run = (): void => {
    if (document.visibilityState === 'hidden') {
      document.addEventListener('visibilitychange', this.now, { once: true })
    } else {
      this.now()
    }
  }

  #rest(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    window.removeEventListener('online', this.now)
    document.removeEventListener('visibilitychange', this.now)
  }
}

/** When something is tried again, in words that change every second. Null: that is being done. */
export function describeRetry(at: number | null, now: number): string {
  const left = at === null ? 0 : Math.ceil((at - now) / 1000)
  return left > 0 ? `Trying again in ${left} s` : 'Trying again now'
}
