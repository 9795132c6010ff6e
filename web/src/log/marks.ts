import { computed, onScopeDispose, shallowRef, toValue, watch, type MaybeRefOrGetter, type Ref } from 'vue'

import { api, isAbort } from '@/api/client.ts'
import { isFresh } from '@/api/events.ts'
import { Retry } from '@/api/retry.ts'
import type { LogMark } from '@/api/types.ts'
import { useLive } from '@/state/live.ts'

/** The jump targets in the log of a job, as far as the log has been searched. */
export interface Marks {
  readonly list: Readonly<Ref<readonly LogMark[]>>
  /** Why the last request failed. */
  readonly problem: Readonly<Ref<string | null>>
  /** When the request is repeated automatically: see `Retry`. */
  readonly retryAt: Readonly<Ref<number | null>>
  /** Whether there are more than are kept. */
  readonly isCut: Readonly<Ref<boolean>>
  /** Repeats a failed request. */
  retry(): void
}

/** How many marks are kept, and separately how many errors. */
const MOST = 10_000

/** Between the starts of two requests while the log grows, in milliseconds. */
const PAUSE = 1000

type Ask = (from: number, signal: AbortSignal) => AsyncIterable<LogMark | End>

interface End {
  type: 'end'
  next: number
  complete: boolean
}

/** Searches the new part of a log for marks, whenever it has grown. */
export class MarkSearch {
  readonly list = shallowRef<readonly LogMark[]>([])
  readonly isCut = shallowRef(false)

  readonly #ask: Ask
  readonly #retry = new Retry(() => this.retry())
  readonly problem = this.#retry.problem
  readonly retryAt = this.#retry.at
  readonly #controller = new AbortController()
  /** The record at which the next request starts. */
  #next = 1
  #records = 0
  #isComplete = false
  /** Whether there is something to request. */
  #isWanted = true
  #isBusy = false
  #kept = { errors: 0, others: 0 }

  constructor(ask: Ask) {
    this.#ask = ask
    void this.#run()
  }

  /** The log has so many records now, and no more will come if it is complete. */
  grown(records: number, isComplete: boolean): void {
    const ends = isComplete && !this.#isComplete
    this.#records = records
    this.#isComplete = isComplete
    if (ends || records >= this.#next) {
      this.#isWanted = true
      void this.#run()
    }
  }

  /** Retries what has failed. */
  retry(): void {
    if (this.problem.value !== null) {
      this.#isWanted = true
      void this.#run()
    }
  }

  stop(): void {
    this.#controller.abort()
    this.#retry.stop()
  }

  async #run(): Promise<void> {
    if (this.#isBusy) {
      return
    }
    this.#isBusy = true
    while (this.#isWanted && !this.#controller.signal.aborted) {
      this.#isWanted = false
      const pause = new Promise((resolve) => setTimeout(resolve, PAUSE))
      try {
        const isComplete = await this.#look()
        this.#retry.succeeded()
        this.#isWanted ||= !isComplete || this.#records >= this.#next
      } catch (error) {
        if (isAbort(error)) {
          return
        }
        this.#retry.failed(error)
      }
      await pause
    }
    this.#isBusy = false
  }

  /** Sends one request. Returns whether there is nothing more for now. */
  async #look(): Promise<boolean> {
    const found: LogMark[] = []
    for await (const mark of this.#ask(this.#next, this.#controller.signal)) {
      if (mark.type !== 'end') {
        found.push(mark)
        continue
      }
      this.#keep(found)
      const isFurther = mark.next > this.#next
      this.#next = mark.next
      return mark.complete || !isFurther
    }
    throw new Error('The answer was cut off')
  }

  #keep(found: LogMark[]): void {
    const kept = found.filter(({ type }) => {
      const kind = type === 'error' ? 'errors' : 'others'
      this.#kept[kind] += 1
      return this.#kept[kind] <= MOST
    })
    if (kept.length > 0) {
      this.list.value = [...this.list.value, ...kept]
    }
    this.isCut.value ||= kept.length < found.length
  }
}

/** The marks of a job's log, kept up to date while it is followed. */
export function useMarks(job: MaybeRefOrGetter<number>): Marks {
  const live = useLive()
  const searchIn = (id: number): MarkSearch => new MarkSearch((from, signal) => api.marks(id, from, signal))
  const search = shallowRef(searchIn(toValue(job)))

  watch(
    () => toValue(job),
    (id) => {
      search.value.stop()
      search.value = searchIn(id)
    },
  )
  watch(
    [search, live.log],
    ([searching, log]) => {
      if (log?.id === toValue(job)) {
        searching.grown(log.records, log.complete)
      }
    },
    { immediate: true },
  )
  watch(
    () => isFresh(live.connection.value),
    (isConnected) => isConnected && search.value.retry(),
  )
  onScopeDispose(() => search.value.stop())
  return {
    list: computed(() => search.value.list.value),
    problem: computed(() => search.value.problem.value),
    retryAt: computed(() => search.value.retryAt.value),
    isCut: computed(() => search.value.isCut.value),
    retry: () => search.value.retry(),
  }
}
