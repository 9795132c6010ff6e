import { computed, onScopeDispose, shallowRef, toValue, watch, type MaybeRefOrGetter, type Ref } from 'vue'

import { api, isAbort } from '@/api/client.ts'
import { isFresh } from '@/api/events.ts'
import { Retry } from '@/api/retry.ts'
import type { LogMark } from '@/api/types.ts'
import { useLive } from '@/state/live.ts'

/** What there is to jump to in the log of a job, as far as the log has been looked through. */
export interface Marks {
  readonly list: Readonly<Ref<readonly LogMark[]>>
  /** Why they could not be asked for, the last time. */
  readonly problem: Readonly<Ref<string | null>>
  /** When they are asked for again by themselves: see `Retry`. */
  readonly retryAt: Readonly<Ref<number | null>>
  /** Whether there are more than are kept. */
  readonly isCut: Readonly<Ref<boolean>>
  /** Asks again. */
  retry(): void
}

/** So many are kept of what the job told and was told, and as many of its errors. */
const MOST = 10_000

/** Between the beginnings of two requests while the log grows, in milliseconds. */
const PAUSE = 1000

type Ask = (from: number, signal: AbortSignal) => AsyncIterable<LogMark | End>

interface End {
  type: 'end'
  next: number
  complete: boolean
}

/** Looks for marks in what a log has more than the last time, and only when it has. */
export class MarkSearch {
  readonly list = shallowRef<readonly LogMark[]>([])
  readonly isCut = shallowRef(false)

  readonly #ask: Ask
  readonly #retry = new Retry(() => this.retry())
  readonly problem = this.#retry.problem
  readonly retryAt = this.#retry.at
  readonly #controller = new AbortController()
  /** The record to ask on from. */
  #next = 1
  #records = 0
  #isComplete = false
  /** There is something to be asked for. */
  #isWanted = true
  #isBusy = false
  #kept = { errors: 0, others: 0 }

  constructor(ask: Ask) {
    this.#ask = ask
    void this.#run()
  }

  /** The log has so many records now, and if it is complete no more will come. */
  grown(records: number, isComplete: boolean): void {
    const ends = isComplete && !this.#isComplete
    this.#records = records
    this.#isComplete = isComplete
    if (ends || records >= this.#next) {
      this.#isWanted = true
      void this.#run()
    }
  }

  /** Tries again what has failed. */
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

  /** Asks once. Returns whether there is nothing more for now. */
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
