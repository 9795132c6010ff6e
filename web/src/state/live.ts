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

/** So many jobs that have ended are kept: what was seen longer ago is asked for again. */
const KEPT = 500

type JobListener = (job: Job, before: Job | undefined) => void

/**
 * What is going on, as this tab was told last: every job that has not ended, the newest that have, and the runner.
 *
 * It is told by a stream that all tabs share. It is right as long as the connection is fresh.
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
      event: (event) => this.#take(event),
      connection: (connection) => (this.#connection.value = connection),
      heard: () => (this.#heardAt.value = serverTime()),
    },
    () => this.#known(),
  )

  /** By number. */
  readonly jobs: ReadonlyMap<number, Job> = this.#jobs
  /** Null before the first word of it. */
  readonly runner: Readonly<ShallowRef<Runner | null>> = this.#runner
  /** How long the log is that is followed. */
  readonly log = readonly(this.#log)
  /** Another object at each change of what other programs report. Null before the first word of it. */
  readonly monitoring: Readonly<ShallowRef<Monitoring | null>> = this.#monitoring
  readonly connection = readonly(this.#connection)
  /** When there was the last sign of life, in milliseconds since the epoch by the clock of the API. */
  readonly heardAt = readonly(this.#heardAt)
  /** Whether there was a first snapshot. */
  readonly isReady = readonly(this.#isReady)

  /** Listens, and if it does that already tries again at once. */
  start(): void {
    if (this.#isStarted) {
      this.#stream.retryNow()
    } else {
      this.#isStarted = true
      this.#stream.start()
    }
  }

  /** Listens no longer, and forgets what it was told: the next one who looks may be somebody else. */
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

  /** Which log is to be followed; none with null. */
  follow(job: number | null): void {
    if (this.#log.value?.id !== job) {
      this.#log.value = null
    }
    this.#stream.follow(job)
  }

  /** Puts in a job that was asked for. What the stream tells is never older. */
  learn(job: Job): void {
    if (!this.#jobs.has(job.id)) {
      this.#jobs.set(job.id, job)
    }
  }

  /** Calls for each job that changes, as long as the component lives. */
  onJob(listener: JobListener): void {
    this.#jobListeners.add(listener)
    onScopeDispose(() => this.#jobListeners.delete(listener))
  }

  /** Calls for each job that is removed for good. */
  onRemoved(listener: (job: number) => void): void {
    this.#removedListeners.add(listener)
    onScopeDispose(() => this.#removedListeners.delete(listener))
  }

  /** Calls when everything was told anew: then the API may be another one. */
  onSnapshot(listener: () => void): void {
    this.#snapshotListeners.add(listener)
    onScopeDispose(() => this.#snapshotListeners.delete(listener))
  }

  /** For another tab. */
  #known(): ServerEvent[] {
    const runner = this.#runner.value
    if (!this.#isReady.value || runner === null) {
      return []
    }
    const jobs = [...this.#jobs.values()]
    const monitoring = this.#monitoring.value ?? undefined
    return [{ type: 'snapshot', data: { runner, jobs, total: jobs.length, ...(monitoring && { monitoring }) } }]
  }

  #take(event: ServerEvent): void {
    switch (event.type) {
      case 'snapshot':
        this.#begin(event.data)
        break
      case 'job':
        this.#put({ data: this.#jobs.get(event.data.id)?.data ?? {}, ...event.data })
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

  #begin({ runner, jobs, monitoring, isPolled = false }: Snapshot): void {
    const listed = new Set(jobs.map((job) => job.id))
    // Of those that are not told of, the ones that had not ended are not as they were, and the others are only old.
    for (const job of this.#jobs.values()) {
      if (!listed.has(job.id) && !isFinal(job.state)) {
        this.#jobs.delete(job.id)
      }
    }
    this.#runner.value = runner
    this.#monitoring.value = monitoring ?? this.#monitoring.value
    jobs.forEach((job) => this.#put(job))
    this.#isReady.value = true
    if (!isPolled) {
      this.#snapshotListeners.forEach((listener) => listener())
    }
  }

  #put(job: Job): void {
    const before = this.#jobs.get(job.id)
    this.#jobs.set(job.id, job)
    this.#forget()
    this.#jobListeners.forEach((listener) => listener(job, before))
  }

  #forget(): void {
    if (this.#jobs.size <= 2 * KEPT) {
      return
    }
    const ended = [...this.#jobs.values()].filter((job) => isFinal(job.state)).sort((a, b) => b.id - a.id)
    ended.slice(KEPT).forEach((job) => this.#jobs.delete(job.id))
  }
}

const KEY: InjectionKey<Live> = Symbol('live')

/** Makes it known to all components. */
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
