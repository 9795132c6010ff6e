import { api } from './client.ts'
import type { ServerEvent } from './events.ts'
import { isFinal, type Job, type Monitoring } from './types.ts'

/** Between two polls, in milliseconds. The pause grows while nothing changes, and is reset by a change. */
const SHORTEST = 2000
const LONGEST = 30_000
const GROWTH = 1.5

/** How many open jobs and how many of the newest jobs are polled, as in the first snapshot of a stream. */
const MOST_OPEN = 500
const NEWEST = 50

const OPEN = ['queued', 'starting', 'running', 'waiting', 'stopping']

interface PollListener {
  snapshot(events: ServerEvent[]): void
  /** `pause` is the time until the next poll, in milliseconds. */
  failed(error: unknown, pause: number): void
}

/** Polls everything that a stream would send, while no stream works. It does not poll while no tab is visible. */
export class Poller {
  readonly #listener: PollListener
  #logs: () => readonly number[] = () => []
  #timer: ReturnType<typeof setTimeout> | undefined
  #attempt: AbortController | null = null
  #pause = SHORTEST
  #before = ''
  /** Whether another tab shows the state, or did so a moment ago. */
  #isSeen = true
  #isDue = false
  /** Whether there is a train status, as far as is known. */
  #hasTrain = true

  constructor(listener: PollListener) {
    this.#listener = listener
  }

  get isOn(): boolean {
    return this.#attempt !== null
  }

  /** Starts to poll, including the lengths of these logs. */
  start(logs: () => readonly number[]): void {
    this.#logs = logs
    if (this.#attempt === null) {
      this.#attempt = new AbortController()
      this.#pause = SHORTEST
      void this.#ask()
    }
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#attempt?.abort()
    this.#attempt = null
    this.#isDue = false
  }

  /** Polls at once. */
  now(): void {
    if (this.#attempt !== null) {
      this.stop()
      this.start(this.#logs)
    }
  }

  /** A tab shows the state. */
  viewed(): void {
    this.#isSeen = true
    if (this.#isDue) {
      this.now()
    }
  }

  async #ask(): Promise<void> {
    const attempt = this.#attempt
    if (attempt === null) {
      return
    }
    try {
      const events = await this.#everything(attempt.signal)
      if (!attempt.signal.aborted) {
        const now = JSON.stringify(events)
        this.#pause = now === this.#before ? Math.min(LONGEST, this.#pause * GROWTH) : SHORTEST
        this.#before = now
        this.#listener.snapshot(events)
      }
    } catch (error) {
      if (!attempt.signal.aborted) {
        this.#pause = Math.min(LONGEST, this.#pause * 2)
        this.#listener.failed(error, this.#pause)
      }
    }
    if (!attempt.signal.aborted) {
      this.#timer = setTimeout(() => this.#due(), this.#pause)
    }
  }

  #due(): void {
    if (document.visibilityState === 'visible' || this.#isSeen) {
      this.#isSeen = false
      void this.#ask()
    } else {
      this.#isDue = true
    }
  }

  /** Everything that a stream sends at its start. */
  async #everything(signal: AbortSignal): Promise<ServerEvent[]> {
    const none = { outcome: [], state: [], user: '', type: '', q: '' }
    const [runner, newest, open, monitoring] = await Promise.all([
      api.runner(signal),
      api.jobs(none, { limit: NEWEST, signal }),
      api.jobs({ ...none, state: OPEN }, { limit: MOST_OPEN, signal }),
      this.#monitored(signal),
    ])
    const jobs = new Map([...open.jobs, ...newest.jobs].map((job) => [job.id, job]))
    const lengths = await Promise.all(this.#logs().map((id) => lengthOf(id, jobs.get(id), signal)))
    const data = { runner, jobs: [...jobs.values()], total: newest.total, monitoring, isPolled: true }
    return [{ type: 'snapshot', data }, ...lengths]
  }

  async #monitored(signal: AbortSignal): Promise<Monitoring> {
    const { time, total } = await api.mediaWikiTotal(signal)
    const train = this.#hasTrain ? await api.trainStatus(signal).catch(() => null) : null
    this.#hasTrain = train !== null
    return {
      train: train?.time == null ? null : { time: train.time },
      mediawiki: time === null || total === null ? null : { time, total },
    }
  }
}

/** A job that is not among the open ones has ended. */
async function lengthOf(id: number, job: Job | undefined, signal: AbortSignal): Promise<ServerEvent> {
  const complete = job === undefined || isFinal(job.state)
  const { total: records } = await api.records(id, { from: -1, count: 1, sensitive: false, signal })
  return { type: 'log', data: { id, records, complete } }
}
