import { createParser, type EventSourceMessage } from 'eventsource-parser'

import { api, ApiError, reasonOf } from './client.ts'
import { serverTime } from './serverTime.ts'
import type { Job, LogExtent, Monitoring, Runner } from './types.ts'

/** What the API tells on its own. Each is the state at that time. */
export type ServerEvent =
  | { type: 'snapshot'; data: { runner: Runner; jobs: Job[]; total: number; monitoring?: Monitoring } }
  /** The data of a job that runs are told once in a stream: they never change. */
  | { type: 'job'; data: Omit<Job, 'data'> & Partial<Pick<Job, 'data'>> }
  | { type: 'removed'; data: { id: number } }
  | { type: 'runner'; data: Runner }
  | { type: 'log'; data: LogExtent }
  | { type: 'monitoring'; data: Monitoring }

/** How the stream is. Times are milliseconds since the epoch, by the clock of the API. */
export type Connection =
  /** For the first time, or again after an end that is nothing to worry about. */
  | { state: 'connecting' }
  | { state: 'live' }
  /** `retryAt` is null while it is being tried. */
  | { state: 'broken'; reason: string; retryAt: number | null }
  /** This person is not let in (any more). It is not tried again before somebody has reason to. */
  | { state: 'refused'; reason: string }

/** The API gives a sign of life every 15 s; a stream that gave none for so long is dead, whatever the network says. */
const SILENCE = 35_000

/** How often it is looked whether it is dead. A laptop that wakes finds out that soon: timers slept with it. */
const LOOK = 5000

/** When people come back to the page, a stream that was quiet for so long is not waited for. */
const QUIET = 17_000

/** Between attempts. It doubles up to the longest, and a part of it is chance: all pages lose the API together. */
const FIRST_PAUSE = 500
const LONGEST_PAUSE = 15_000

/** What lived for so long was well, and the pauses begin anew. */
const WELL = 15_000

export interface Listener {
  event(event: ServerEvent): void
  connection(connection: Connection): void
  /** There was a sign of life. */
  heard(): void
}

/**
 * The one stream of events of a tab: it comes back by itself, from where it was.
 *
 * It is read by `fetch`, because an `EventSource` hides what is needed here: the signs of life (a laptop that slept has
 * a stream that looks open), and why a connection was refused.
 */
export class EventStream {
  #log: number | null = null
  /** The identifier of the last event. The API goes on behind it. */
  #last: string | null = null
  #attempt = new AbortController()
  #heardAt = 0
  /** Which run of it goes on; no other does. */
  #run = 0
  /** Ends the pause before the next attempt, or the wait for a reason to try again. */
  #wake: () => void = () => undefined
  readonly #listener: Listener

  constructor(listener: Listener) {
    this.#listener = listener
  }

  start(): void {
    document.addEventListener('visibilitychange', this.#lookAgain)
    window.addEventListener('online', this.retryNow)
    this.#run += 1
    void this.#go(this.#run)
  }

  /** Ends it, and forgets where it was. */
  stop(): void {
    this.#run += 1
    this.#last = null
    document.removeEventListener('visibilitychange', this.#lookAgain)
    window.removeEventListener('online', this.retryNow)
    this.#renew()
  }

  /** From now on it also tells how long the log of a job is; of none with null. */
  follow(log: number | null): void {
    if (log !== this.#log) {
      this.#log = log
      this.#renew()
    }
  }

  /** Does not wait for the next attempt. */
  readonly retryNow = (): void => this.#wake()

  #renew(): void {
    this.#attempt.abort()
    this.#wake()
  }

  readonly #lookAgain = (): void => {
    if (document.visibilityState === 'visible' && Date.now() - this.#heardAt > QUIET) {
      this.#renew()
    }
  }

  async #go(run: number): Promise<void> {
    let failures = 0
    let isBroken = false
    while (run === this.#run) {
      if (!isBroken) {
        this.#listener.connection({ state: 'connecting' })
      }
      this.#attempt = new AbortController()
      const { signal } = this.#attempt
      const log = this.#log
      // Not at all so far.
      let liveAt = Infinity
      try {
        const stream = await api.events(log, this.#last, signal)
        liveAt = Date.now()
        isBroken = false
        this.#listener.connection({ state: 'live' })
        await this.#read(stream)
        // It ended in order, as it does once an hour and when the API stops. Unless it always does: back at once.
        if (Date.now() - liveAt < FIRST_PAUSE) {
          throw new Error('SpiderPig ended the connection')
        }
        failures = 0
      } catch (error) {
        if (log !== null && !signal.aborted && isMissing(error)) {
          // The job is gone, and its log with it. Everything else is still told.
          this.#log = null
        } else if (!signal.aborted && isRefused(error)) {
          failures = 0
          isBroken = true
          this.#listener.connection({ state: 'refused', reason: reasonOf(error) })
          await new Promise<void>((resolve) => (this.#wake = resolve))
        } else if (!signal.aborted || signal.reason === SILENT) {
          failures = Date.now() - liveAt < WELL ? failures + 1 : 1
          isBroken = true
          await this.#pause(failures, signal.aborted ? 'SpiderPig has fallen silent' : reasonOf(error))
        }
      }
    }
  }

  async #pause(failures: number, reason: string): Promise<void> {
    const longest = Math.min(FIRST_PAUSE * 2 ** (failures - 1), LONGEST_PAUSE)
    const pause = longest * (0.5 + Math.random() / 2)
    this.#listener.connection({ state: 'broken', reason, retryAt: serverTime() + pause })
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, pause)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
    this.#listener.connection({ state: 'broken', reason, retryAt: null })
  }

  async #read(stream: ReadableStream<Uint8Array>): Promise<void> {
    const parser = createParser({ onEvent: (message) => this.#tell(message) })
    const decoder = new TextDecoder()
    const attempt = this.#attempt
    const reader = stream.getReader()
    const look = setInterval(() => Date.now() - this.#heardAt > SILENCE && attempt.abort(SILENT), LOOK)
    this.#heardAt = Date.now()
    try {
      for (;;) {
        const { done, value } = await reader.read()
        if (done) {
          return
        }
        this.#heardAt = Date.now()
        this.#listener.heard()
        parser.feed(decoder.decode(value, { stream: true }))
      }
    } finally {
      clearInterval(look)
      // What was not understood is not read on.
      await reader.cancel().catch(() => undefined)
    }
  }

  #tell({ event, data, id }: EventSourceMessage): void {
    const last = this.#last
    // Should this one not be understood, everything is told anew.
    this.#last = null
    this.#listener.event({ type: event, data: JSON.parse(data) } as ServerEvent)
    this.#last = id ?? last
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof ApiError && error.status === 404
}

function isRefused(error: unknown): boolean {
  return error instanceof ApiError && (error.status === 401 || error.status === 403)
}

/** Why an attempt was given up that nobody wanted to end. */
const SILENT = Symbol('silent')
