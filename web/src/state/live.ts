import {
  inject,
  onScopeDispose,
  readonly,
  shallowReactive,
  shallowRef,
  type App,
  type InjectionKey,
  type ShallowRef,
} from 'vue'

import type { Connection, ServerEvent, Snapshot } from '@/api/events.ts'
import { serverTime } from '@/api/serverTime.ts'
import { SharedEvents } from '@/api/shared.ts'
import { isFinal, type Job, type LogExtent, type Monitoring, type Runner } from '@/api/types.ts'

/** How many ended jobs are kept. Older ones are requested again when needed. */
const KEPT = 500

type JobListener = (job: Job, before: Job | undefined) => void

/**
 * The live state, as this tab knows it: all jobs that have not ended, the newest ended ones, and the runner.
 *
 * It comes from a stream that all tabs share, and is right while the connection is fresh.
 */
export class Live {
  readonly #jobs = shallowReactive(new Map<number, Job>())
  readonly #runner = shallowRef<Runner | null>(null)
  readonly #log = shallowRef<LogExtent | null>(null)
  readonly #monitoring = shallowRef<Monitoring | null>(null)
  readonly #connection = shallowRef<Connection>({ state: 'connecting' })
  readonly #heardAt = shallowRef<number | null>(null)
  readonly #isReady = shallowRef(false)
  readonly #jobListeners = new Set<JobListener>()
  readonly #removedListeners = new Set<(job: number) => void>()
  readonly #snapshotListeners = new Set<() => void>()
  #isStarted = false
  readonly #stream = new SharedEvents(
    {
      event: (event) => this.#apply(event),
      connection: (connection) => (this.#connection.value = connection),
      heard: () => (this.#heardAt.value = serverTime()),
    },
    () => this.#state(),
  )

  /** The jobs by number. */
  readonly jobs: ReadonlyMap<number, Job> = this.#jobs
  /** Null before the first snapshot. */
  readonly runner: Readonly<ShallowRef<Runner | null>> = this.#runner
  /** The length of the followed log. */
  readonly log = readonly(this.#log)
  /** What other programs report: a new object at each change. Null before the first report. */
  readonly monitoring: Readonly<ShallowRef<Monitoring | null>> = this.#monitoring
  readonly connection = readonly(this.#connection)
  /** The time of the last sign of life, in milliseconds since the epoch by the clock of the API. */
  readonly heardAt = readonly(this.#heardAt)
  /** Whether the first snapshot has arrived. */
  readonly isReady = readonly(this.#isReady)

  /** Opens the stream, or retries at once if it is open already. */
  start(): void {
    if (this.#isStarted) {
      this.#stream.retryNow()
    } else {
      this.#isStarted = true
      this.#stream.start()
    }
  }

  /** Closes the stream and clears the state, as the next user may be another one. */
  stop(): void {
    if (this.#isStarted) {
      this.#isStarted = false
      this.#stream.stop()
    }
    this.#jobs.clear()
    this.#runner.value = null
    this.#log.value = null
    this.#monitoring.value = null
    this.#heardAt.value = null
    this.#isReady.value = false
    this.#connection.value = { state: 'connecting' }
  }

  retryNow(): void {
    this.#stream.retryNow()
  }

  /** Follows the log of a job; none with null. */
  follow(job: number | null): void {
    if (this.#log.value?.id !== job) {
      this.#log.value = null
    }
    this.#stream.follow(job)
  }

  /** Adds a requested job, unless the stream has it, which is never older. */
  learn(job: Job): void {
    if (!this.#jobs.has(job.id)) {
      this.#jobs.set(job.id, job)
    }
  }

  /** Calls the listener for each changed job, as long as the component lives. */
  onJob(listener: JobListener): void {
    this.#jobListeners.add(listener)
    onScopeDispose(() => this.#jobListeners.delete(listener))
  }

  /** Calls the listener for each job that is removed for good. */
  onRemoved(listener: (job: number) => void): void {
    this.#removedListeners.add(listener)
    onScopeDispose(() => this.#removedListeners.delete(listener))
  }

  /** Calls the listener after each new snapshot: then the API may be another one. */
  onSnapshot(listener: () => void): void {
    this.#snapshotListeners.add(listener)
    onScopeDispose(() => this.#snapshotListeners.delete(listener))
  }

  /** The current state, for another tab. */
  #state(): ServerEvent[] {
    const runner = this.#runner.value
    if (!this.#isReady.value || runner === null) {
      return []
    }
    const jobs = [...this.#jobs.values()]
    const monitoring = this.#monitoring.value ?? undefined
    return [{ type: 'snapshot', data: { runner, jobs, total: jobs.length, ...(monitoring && { monitoring }) } }]
  }

  #apply(event: ServerEvent): void {
    switch (event.type) {
      case 'snapshot':
        this.#applySnapshot(event.data)
        break
      case 'job':
        this.#setJob({ data: this.#jobs.get(event.data.id)?.data ?? {}, ...event.data })
        break
      case 'removed':
        this.#jobs.delete(event.data.id)
        this.#removedListeners.forEach((listener) => listener(event.data.id))
        break
      case 'runner':
        this.#runner.value = event.data
        break
      case 'log':
        this.#log.value = event.data
        break
      case 'monitoring':
        this.#monitoring.value = event.data
        break
    }
  }

  #applySnapshot({ runner, jobs, monitoring, isPolled = false }: Snapshot): void {
    const listed = new Set(jobs.map((job) => job.id))
    // Jobs that are missing in the snapshot: open ones are outdated, and ended ones are just old.
    for (const job of this.#jobs.values()) {
      if (!listed.has(job.id) && !isFinal(job.state)) {
        this.#jobs.delete(job.id)
      }
    }
    this.#runner.value = runner
    this.#monitoring.value = monitoring ?? this.#monitoring.value
    jobs.forEach((job) => this.#setJob(job))
    this.#isReady.value = true
    if (!isPolled) {
      this.#snapshotListeners.forEach((listener) => listener())
    }
  }

  #setJob(job: Job): void {
    const before = this.#jobs.get(job.id)
    this.#jobs.set(job.id, job)
    this.#dropOldest()
    this.#jobListeners.forEach((listener) => listener(job, before))
  }

  #dropOldest(): void {
    if (this.#jobs.size <= 2 * KEPT) {
      return
    }
    const ended = [...this.#jobs.values()].filter((job) => isFinal(job.state)).sort((a, b) => b.id - a.id)
    ended.slice(KEPT).forEach((job) => this.#jobs.delete(job.id))
  }
}

const KEY: InjectionKey<Live> = Symbol('live')

/** Provides it to all components. */
export function provideLive(app: App, live: Live): void {
  app.provide(KEY, live)
}

export function useLive(): Live {
  const live = inject(KEY)
  if (live === undefined) {
    throw new Error('provideLive has not been called')
  }
  return live
}
