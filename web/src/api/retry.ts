import { readonly, shallowRef, type Ref } from 'vue'

import { ApiError, reasonOf } from './client.ts'
import { serverTime } from './serverTime.ts'

/**
 * Between two attempts, in milliseconds. The pause doubles up to the longest, and is partly random, as all pages lose
 * the API together.
 */
const FIRST_PAUSE = 1000
const LONGEST_PAUSE = 30_000

/** Refusals that may pass: timeout, misdirected request, too early, too many requests. */
const TRANSIENT: ReadonlySet<number> = new Set([408, 421, 425, 429])

/** Whether a repeated request would get the same error. */
function isFinal(error: unknown): boolean {
  return error instanceof ApiError && error.status >= 400 && error.status < 500 && !TRANSIENT.has(error.status)
}

/**
 * Repeats a failed request with growing pauses, until there is an answer.
 *
 * It is only for requests that change nothing: others are never repeated automatically. While the page is hidden it
 * waits, and then repeats what is due.
 */
export class Retry {
  readonly #again: () => void
  readonly #problem = shallowRef<string | null>(null)
  readonly #at = shallowRef<number | null>(null)
  #failures = 0
  /** When the request is repeated, by the clock of the browser. */
  #due = Infinity
  /** The request is never repeated before this time. */
  #soonest = 0
  #timer: ReturnType<typeof setTimeout> | undefined

  /** Why the last request failed. */
  readonly problem: Readonly<Ref<string | null>> = readonly(this.#problem)
  /**
   * When the request is repeated, or was if it is under way, in milliseconds since the epoch by the clock of the API.
   * Null if only the user can repeat it.
   */
  readonly at: Readonly<Ref<number | null>> = readonly(this.#at)

  /** `again` repeats the request, and reports `failed` or `succeeded`. */
  constructor(again: () => void) {
    this.#again = again
  }

  /** Reports a failure. Final errors are shown, but not retried. */
  failed(error: unknown): void {
    this.#cancel()
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

  /** Repeats the request soon, as there is a new reason to, unless it is under way. */
  retrySoon(): void {
    if (this.#timer !== undefined && this.#due > this.#soonest) {
      this.#cancel()
      this.#wait(this.#soonest)
    }
  }

  /** Repeats a waiting request now. */
  readonly now = (): void => {
    if (this.#timer !== undefined) {
      this.#cancel()
      this.#again()
    }
  }

  /** Stops retrying and forgets the failure. */
  stop(): void {
    this.#cancel()
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

  #cancel(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    window.removeEventListener('online', this.now)
    document.removeEventListener('visibilitychange', this.now)
  }
}

/** The time until the next attempt in words, which change every second. Null: it is under way. */
export function describeRetry(at: number | null, now: number): string {
  const left = at === null ? 0 : Math.ceil((at - now) / 1000)
  return left > 0 ? `Trying again in ${left} s` : 'Trying again now'
}
