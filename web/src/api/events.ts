import { createParser, type EventSourceMessage } from 'eventsource-parser'

import { api, ApiError, reasonOf } from './client.ts'
import { Poller } from './polling.ts'
import { serverTime } from './serverTime.ts'
import type { Job, LogExtent, Monitoring, Runner } from './types.ts'

/** All there is to know at a time. */
export interface Snapshot {
  runner: Runner
  jobs: Job[]
  total: number
  monitoring?: Monitoring
  /** It was asked for, and not told because the API may be another one. */
  isPolled?: boolean
}

/** What the API tells on its own. Each is the state at that time. */
export type ServerEvent =
  | { type: 'snapshot'; data: Snapshot }
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
  /** Nothing comes by the stream, although it can be opened. What is shown is asked for now and then instead. */
  | { state: 'polled'; reason: string }
  /** `retryAt` is null while it is being tried. */
  | { state: 'broken'; reason: string; retryAt: number | null }
  /** This person is not let in (any more). It is not tried again before somebody has reason to. */
  | { state: 'refused'; reason: string }

/** Whether what is shown is kept up to date. */
export function isFresh({ state }: Connection): boolean {
  return state === 'live' || state === 'polled'
}

/** The first byte comes with the head of the answer. If none came for so long after it, something on the way holds them. */
const PATIENCE = 10_000

/** The API gives a sign of life every 15 s; a stream that gave none for so long is dead, whatever the network says. */
export const SILENCE = 30_000

/** How often it is looked whether it is dead. A laptop that wakes finds out that soon: timers slept with it. */
export const LOOK = 5000

/** When people come back to the page, a stream that was quiet for so long is not waited for. */
const QUIET = 17_000

/** Between attempts. It doubles up to the longest, and a part of it is chance: all pages lose the API together. */
const FIRST_PAUSE = 500
const LONGEST_PAUSE = 15_000

/** What lived for so long was well, and the pauses begin anew. */
const WELL = 15_000

export interface Listener {
  /** Behind an event with an identifier a stream can go on, also another one. */
  event(event: ServerEvent, id: string | null): void
  connection(connection: Connection): void
  /** There was a sign of life. */
  heard(): void
}

/**
 * A stream of events: it comes back by itself, from where it was.
 *
 * It is live when it has sent something: the head of an answer says nothing, as a proxy may hold all that follows. While
 * one does, what there is to know is asked for.
 *
 * It is read by `fetch`, because an `EventSource` hides what is needed here: the signs of life (a laptop that slept has
 * a stream that looks open), and why a connection was refused.
 */
export class EventStream {
  #logs: readonly number[] = []
  /** The identifier of the last event. The API goes on behind it. */
  #last: string | null = null
  #attempt = new AbortController()
  #heardAt = 0
  /** Which run of it goes on; no other does. */
  #run = 0
  /** Ends the pause before the next attempt, or the wait for a reason to try again. */
  #wake: () => void = () => undefined
  readonly #listener: Listener
  readonly #poller: Poller

  constructor(listener: Listener) {
    this.#listener = listener
    this.#poller = new Poller({
      snapshot: (events) => {
        // What the stream had told before is older.
        this.#last = null
        events.forEach((event) => listener.event(event, null))
        listener.heard()
        listener.connection({ state: 'polled', reason: HELD_WORDS })
      },
      failed: (error, pause) =>
        listener.connection({ state: 'broken', reason: reasonOf(error), retryAt: serverTime() + pause }),
    })
  }

  /** Begins, behind an event if that is known. */
  start(last: string | null = null): void {
    this.#last = last
    document.addEventListener('visibilitychange', this.#onVisible)
    window.addEventListener('online', this.retryNow)
    this.#run += 1
    void this.#go(this.#run)
  }

  /** Ends it, and forgets where it was. */
  stop(): void {
    this.#run += 1
    this.#last = null
    document.removeEventListener('visibilitychange', this.#onVisible)
    this.#poller.stop()
    window.removeEventListener('online', this.retryNow)
    this.#renew()
  }

  /** From now on it also tells how long the logs of these jobs are. What nobody follows any more may go on for a while. */
  follow(logs: readonly number[]): void {
    const isMore = logs.some((log) => !this.#logs.includes(log))
    this.#logs = [...logs]
    if (isMore) {
      this.#poller.now()
      this.#renew()
    }
  }

  /** Does not wait for the next attempt. */
  readonly retryNow = (): void => {
    this.#poller.now()
    this.#wake()
  }

  /** Somebody looks at what it has told. */
  lookAgain(): void {
    this.#poller.seen()
    if (Date.now() - this.#heardAt > QUIET && !this.#poller.isOn) {
      this.#renew()
    }
  }

  #renew(): void {
    this.#attempt.abort()
    this.#wake()
  }

  readonly #onVisible = (): void => {
    if (document.visibilityState === 'visible') {
      this.lookAgain()
    }
  }

  async #go(run: number): Promise<void> {
    let failures = 0
    let isBroken = false
    while (run === this.#run) {
      if (!isBroken && !this.#poller.isOn) {
        this.#listener.connection({ state: 'connecting' })
      }
      this.#attempt = new AbortController()
      const { signal } = this.#attempt
      // Not at all so far.
      let liveAt = Infinity
      try {
        const stream = await api.events(this.#logs, this.#last, signal)
        await this.#read(stream, () => {
          liveAt = Date.now()
          isBroken = false
          this.#poller.stop()
          this.#listener.connection({ state: 'live' })
        })
        // It ended in order, as it does once an hour and when the API stops. Unless it always does: back at once.
        if (Date.now() - liveAt < FIRST_PAUSE && !signal.aborted) {
          throw new Error('SpiderPig closed the connection')
        }
        failures = 0
      } catch (error) {
        const missing = signal.aborted ? null : missingIn(error)
        if (missing !== null && this.#logs.includes(missing)) {
          // The job is gone, and its log with it. Everything else is still told.
          this.#logs = this.#logs.filter((log) => log !== missing)
        } else if (!signal.aborted && isRefused(error)) {
          failures = 0
          isBroken = true
          this.#poller.stop()
          this.#listener.connection({ state: 'refused', reason: reasonOf(error) })
          await new Promise<void>((resolve) => (this.#wake = resolve))
        } else if (signal.aborted && signal.reason === HELD) {
          failures += 1
          isBroken = true
          this.#poller.start(() => this.#logs)
          await this.#pause(failures + HELD_FAILURES, HELD_WORDS)
        } else if (!signal.aborted || signal.reason === SILENT) {
          failures = Date.now() - liveAt < WELL ? failures + 1 : 1
          isBroken = true
          await this.#pause(failures, signal.aborted ? 'SpiderPig stopped sending updates' : reasonOf(error))
        }
      }
    }
  }

  async #pause(failures: number, reason: string): Promise<void> {
    const longest = Math.min(FIRST_PAUSE * 2 ** (failures - 1), LONGEST_PAUSE)
    const pause = longest * (0.5 + Math.random() / 2)
    this.#tellBroken(reason, serverTime() + pause)
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, pause)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
    this.#tellBroken(reason, null)
  }

  /** Unless what there is to know is asked for instead. */
  #tellBroken(reason: string, retryAt: number | null): void {
    if (!this.#poller.isOn) {
      this.#listener.connection({ state: 'broken', reason, retryAt })
    }
  }

  async #read(stream: ReadableStream<Uint8Array>, began: () => void): Promise<void> {
    const parser = createParser({ onEvent: (message) => this.#tell(message) })
    const decoder = new TextDecoder()
    const attempt = this.#attempt
    const reader = stream.getReader()
    let hasBegun = false
    const patience = setTimeout(() => attempt.abort(HELD), PATIENCE)
    const look = setInterval(() => Date.now() - this.#heardAt > SILENCE && attempt.abort(SILENT), LOOK)
    this.#heardAt = Date.now()
    try {
      for (;;) {
        const { done, value } = await reader.read()
        if (done) {
          return
        }
        this.#heardAt = Date.now()
        if (!hasBegun) {
          hasBegun = true
          clearTimeout(patience)
          began()
        }
        this.#listener.heard()
        parser.feed(decoder.decode(value, { stream: true }))
      }
    } finally {
      clearTimeout(patience)
      clearInterval(look)
      // What was not understood is not read on.
      await reader.cancel().catch(() => undefined)
    }
  }

  #tell({ event, data, id }: EventSourceMessage): void {
    const last = this.#last
    // Should this one not be understood, everything is told anew.
    this.#last = null
    this.#listener.event({ type: event, data: JSON.parse(data) } as ServerEvent, id ?? null)
    this.#last = id ?? last
  }
}

/** The job that does not exist, if it is that. */
function missingIn(error: unknown): number | null {
  const job = error instanceof ApiError && error.status === 404 ? error.fields.job_id : null
  return typeof job === 'number' ? job : null
}

function isRefused(error: unknown): boolean {
  return error instanceof ApiError && (error.status === 401 || error.status === 403)
}

/** Why an attempt was given up that nobody wanted to end. */
const SILENT = Symbol('silent')
const HELD = Symbol('held')

/** An attempt that is held takes long, and a connection: its pauses are long at once. */
const HELD_FAILURES = 4

const HELD_WORDS = 'SpiderPig answers, but its live updates do not arrive: a proxy probably buffers them'
