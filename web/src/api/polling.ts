import { api } from './client.ts'
import type { ServerEvent } from './events.ts'
import { isFinal, type Job, type Monitoring } from './types.ts'

/** Between two questions, in milliseconds. The pause grows while nothing changes, and is short again when something did. */
const SHORTEST = 2000
const LONGEST = 30_000
const GROWTH = 1.5

/** So many jobs that have not ended are asked for, and of the newest as many as a stream tells of at its beginning. */
const MOST_OPEN = 500
const NEWEST = 50

const OPEN = ['queued', 'starting', 'running', 'waiting', 'stopping']

interface PollListener {
  snapshot(events: ServerEvent[]): void
  /** `pause` is how long it waits until it asks again, in milliseconds. */
  failed(error: unknown, pause: number): void
}

/** Asks for all that a stream would tell, as long as one tells nothing. While nobody looks nothing is asked. */
export class Poller {
  readonly #listener: PollListener
  #logs: () => readonly number[] = () => []
  #timer: ReturnType<typeof setTimeout> | undefined
  #attempt: AbortController | null = null
  #pause = SHORTEST
  #before = ''
  /** Somebody looks elsewhere at what is told here, or did so a moment ago. */
  #isSeen = true
  #isDue = false
  /** Whether somebody tells of the train, as far as is known. */
  #hasTrain = true

  constructor(listener: PollListener) {
    this.#listener = listener
  }

  get isOn(): boolean {
    return this.#attempt !== null
  }

  /** Begins to ask, also for how long these logs are. */
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

  /** Asks at once. */
  now(): void {
    if (this.#attempt !== null) {
      this.stop()
      this.start(this.#logs)
    }
  }

  /** Somebody looks at what was told. */
  seen(): void {
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

  /** All that a stream tells at its beginning. */
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

/** A job that is none of those that have not ended has ended. */
async function lengthOf(id: number, job: Job | undefined, signal: AbortSignal): Promise<ServerEvent> {
  const complete = job === undefined || isFinal(job.state)
  const { total: records } = await api.records(id, { from: -1, count: 1, sensitive: false, signal })
  return { type: 'log', data: { id, records, complete } }
}
