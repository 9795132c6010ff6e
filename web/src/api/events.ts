import { createParser, type EventSourceMessage } from 'eventsource-parser'

import { api, ApiError, reasonOf } from './client.ts'
import { Poller } from './polling.ts'
import { serverTime } from './serverTime.ts'
import type { Job, LogExtent, Monitoring, Runner } from './types.ts'

/** The complete state. */
export interface Snapshot {
  runner: Runner
  jobs: Job[]
  total: number
  monitoring?: Monitoring
  /** It was polled, so the API is still the same. */
  isPolled?: boolean
}

/** Events of the stream. Each contains the current state. */
export type ServerEvent =
  | { type: 'snapshot'; data: Snapshot }
  /** A stream contains the data of a running job once, as they never change. */
  | { type: 'job'; data: Omit<Job, 'data'> & Partial<Pick<Job, 'data'>> }
  | { type: 'removed'; data: { id: number } }
  | { type: 'runner'; data: Runner }
  | { type: 'log'; data: LogExtent }
  | { type: 'monitoring'; data: Monitoring }

/** The state of the stream. Times are milliseconds since the epoch, by the clock of the API. */
export type Connection =
  /** For the first time, or after a regular end. */
  | { state: 'connecting' }
  | { state: 'live' }
  /** The stream opens, but nothing arrives. The state is polled instead. */
  | { state: 'polled'; reason: string }
  /** `retryAt` is null during an attempt. */
  | { state: 'broken'; reason: string; retryAt: number | null }
  /** The user has no access. The stream is not retried automatically. */
  | { state: 'refused'; reason: string }

/** Whether the state is kept up to date. */
export function isFresh({ state }: Connection): boolean {
  return state === 'live' || state === 'polled'
}

/**
 * If no byte arrives within this time after the headers, in milliseconds, a proxy buffers the stream. The API sends one
 * at once.
 */
const FIRST_BYTE_TIMEOUT = 10_000

/** The API sends a sign of life every 15 s. A stream without one for this time is dead, in milliseconds. */
export const SILENCE_TIMEOUT = 30_000

/** How often a dead stream is checked for, in milliseconds. A laptop that wakes up notices it this soon. */
export const CHECK_INTERVAL = 5000

/** When the user comes back to the page, a stream that was silent for this time is renewed, in milliseconds. */
const SILENT_FOR_LONG = 17_000

/**
 * Between two attempts, in milliseconds. The pause doubles up to the longest, and is partly random, as all pages lose
 * the API together.
 */
const FIRST_PAUSE = 500
const LONGEST_PAUSE = 15_000

/** After a stream of this length, in milliseconds, the pauses start anew. */
const HEALTHY_AFTER = 15_000

export interface Listener {
  /** Streams can resume after an event with an identifier. */
  event(event: ServerEvent, id: string | null): void
  connection(connection: Connection): void
  /** Called for each sign of life. */
  heard(): void
}

/**
 * A stream of events. It reconnects automatically, and resumes where it was.
 *
 * It is live when the first byte has arrived: headers are not enough, as a proxy may buffer the body. In that case the
 * state is polled.
 *
 * It uses `fetch`, because an `EventSource` hides the signs of life (after sleep, a dead stream looks open), and why a
 * connection was refused.
 */
export class EventStream {
  #logs: readonly number[] = []
  /** The identifier of the last event, after which the API resumes. */
  #last: string | null = null
  #attempt = new AbortController()
  #heardAt = 0
  /** The number of the current run. Earlier runs stop. */
  #run = 0
  /** Ends the pause before the next attempt, or the wait after a refusal. */
  #wake: () => void = () => undefined
  readonly #listener: Listener
  readonly #poller: Poller

  constructor(listener: Listener) {
    this.#listener = listener
    this.#poller = new Poller({
      snapshot: (events) => {
        // Polled data are newer than the last event.
        this.#last = null
        events.forEach((event) => listener.event(event, null))
        listener.heard()
        listener.connection({ state: 'polled', reason: BUFFERED_REASON })
      },
      failed: (error, pause) =>
        listener.connection({ state: 'broken', reason: reasonOf(error), retryAt: serverTime() + pause }),
    })
  }

  /** Starts the stream, after an event if one is given. */
  start(last: string | null = null): void {
    this.#last = last
    document.addEventListener('visibilitychange', this.#onVisible)
    window.addEventListener('online', this.retryNow)
    this.#run += 1
    void this.#connect(this.#run)
  }

  /** Stops it, and forgets its position. */
  stop(): void {
    this.#run += 1
    this.#last = null
    document.removeEventListener('visibilitychange', this.#onVisible)
    this.#poller.stop()
    window.removeEventListener('online', this.retryNow)
    this.#renew()
  }

  /** Follows the lengths of these jobs' logs as well. Dropped logs may continue for a while. */
  follow(logs: readonly number[]): void {
    const isMore = logs.some((log) => !this.#logs.includes(log))
    this.#logs = [...logs]
    if (isMore) {
      this.#poller.now()
      this.#renew()
    }
  }

  /** Retries now. */
  readonly retryNow = (): void => {
    this.#poller.now()
    this.#wake()
  }

  /** The user looks at the page. */
  viewed(): void {
    this.#poller.viewed()
    if (Date.now() - this.#heardAt > SILENT_FOR_LONG && !this.#poller.isOn) {
      this.#renew()
    }
  }

  #renew(): void {
    this.#attempt.abort()
    this.#wake()
  }

  readonly #onVisible = (): void => {
    if (document.visibilityState === 'visible') {
      this.viewed()
    }
  }

  async #connect(run: number): Promise<void> {
    let failures = 0
    let isBroken = false
    while (run === this.#run) {
      if (!isBroken && !this.#poller.isOn) {
        this.#listener.connection({ state: 'connecting' })
      }
      this.#attempt = new AbortController()
      const { signal } = this.#attempt
      // Not live so far.
      let liveAt = Infinity
      try {
        const stream = await api.events(this.#logs, this.#last, signal)
        await this.#read(stream, () => {
          liveAt = Date.now()
          isBroken = false
          this.#poller.stop()
          this.#listener.connection({ state: 'live' })
        })
        // A regular end, as once an hour or when the API stops. It reconnects at once, unless it ends at once each
        // time.
        if (Date.now() - liveAt < FIRST_PAUSE && !signal.aborted) {
          throw new Error('SpiderPig closed the connection')
        }
        failures = 0
      } catch (error) {
        const missing = signal.aborted ? null : missingIn(error)
        if (missing !== null && this.#logs.includes(missing)) {
          // The job is gone, and its log with it. The stream continues without it.
          this.#logs = this.#logs.filter((log) => log !== missing)
        } else if (!signal.aborted && isRefused(error)) {
          failures = 0
          isBroken = true
          this.#poller.stop()
          this.#listener.connection({ state: 'refused', reason: reasonOf(error) })
          await new Promise<void>((resolve) => (this.#wake = resolve))
        } else if (signal.aborted && signal.reason === BUFFERED) {
          failures += 1
          isBroken = true
          this.#poller.start(() => this.#logs)
          await this.#pause(failures + BUFFERED_FAILURES, BUFFERED_REASON)
        } else if (!signal.aborted || signal.reason === SILENT) {
          failures = Date.now() - liveAt < HEALTHY_AFTER ? failures + 1 : 1
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

  /** Reports an outage, unless the state is polled. */
  #tellBroken(reason: string, retryAt: number | null): void {
    if (!this.#poller.isOn) {
      this.#listener.connection({ state: 'broken', reason, retryAt })
    }
  }

  async #read(stream: ReadableStream<Uint8Array>, onFirstByte: () => void): Promise<void> {
    const parser = createParser({ onEvent: (message) => this.#tell(message) })
    const decoder = new TextDecoder()
    const attempt = this.#attempt
    const reader = stream.getReader()
    let hasStarted = false
    const patience = setTimeout(() => attempt.abort(BUFFERED), FIRST_BYTE_TIMEOUT)
    const look = setInterval(
      () => Date.now() - this.#heardAt > SILENCE_TIMEOUT && attempt.abort(SILENT),
      CHECK_INTERVAL,
    )
    this.#heardAt = Date.now()
    try {
      for (;;) {
        const { done, value } = await reader.read()
        if (done) {
          return
        }
        this.#heardAt = Date.now()
        if (!hasStarted) {
          hasStarted = true
          clearTimeout(patience)
          onFirstByte()
        }
        this.#listener.heard()
        parser.feed(decoder.decode(value, { stream: true }))
      }
    } finally {
      clearTimeout(patience)
      clearInterval(look)
      // After an error the rest is not read.
      await reader.cancel().catch(() => undefined)
    }
  }

  #tell({ event, data, id }: EventSourceMessage): void {
    const last = this.#last
    // If this event cannot be read, the next stream starts with a snapshot.
    this.#last = null
    this.#listener.event({ type: event, data: JSON.parse(data) } as ServerEvent, id ?? null)
    this.#last = id ?? last
  }
}

/** The job that does not exist, if that is the error. */
function missingIn(error: unknown): number | null {
  const job = error instanceof ApiError && error.status === 404 ? error.fields.job_id : null
  return typeof job === 'number' ? job : null
}

function isRefused(error: unknown): boolean {
  return error instanceof ApiError && (error.status === 401 || error.status === 403)
}

/** Reasons to abort an attempt that will be repeated. */
const SILENT = Symbol('silent')
const BUFFERED = Symbol('buffered')

/** A buffered attempt takes long and uses a connection, so its pauses are long from the start. */
const BUFFERED_FAILURES = 4

const BUFFERED_REASON = 'SpiderPig answers, but its live updates do not arrive: a proxy probably buffers them'
