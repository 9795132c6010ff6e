import { onScopeDispose, shallowRef, watch, type Ref } from 'vue'

import { api } from '@/api/client.ts'
import { Retry } from '@/api/retry.ts'
import { isFinal, type Job, type JobList } from '@/api/types.ts'
import type { Live } from '@/state/live.ts'

import { jobFilter, type Filter } from './filter.ts'

/** How many jobs one request is for. */
export const PAGE = 25

/** Changes within this time cause one request, in milliseconds: jobs may end by the hundred. */
const REFRESH_DELAY = 300

/** The jobs that match a filter, the newest first, as far as they are loaded. They are kept up to date. */
export interface History {
  readonly jobs: Readonly<Ref<readonly Job[]>>
  /** How many jobs match the filter. Null before it is known. */
  readonly total: Readonly<Ref<number | null>>
  /** False if the API had no time to look at all jobs: then there are at least that many. */
  readonly isComplete: Readonly<Ref<boolean>>
  readonly hasMore: Readonly<Ref<boolean>>
  /** Which request is under way: it will replace the list, or extend it. */
  readonly loading: Readonly<Ref<'first' | 'more' | null>>
  /** Why the last attempt failed. */
  readonly problem: Readonly<Ref<string | null>>
  /** When the request is repeated automatically: see `Retry`. */
  readonly retryAt: Readonly<Ref<number | null>>
  loadMore: () => Promise<void>
  /** Repeats what failed. */
  tryAgain: () => Promise<void>
}

/** Whether the page is full, so that more jobs may follow. */
function isFull({ jobs, cut }: JobList): boolean {
  return jobs.length === PAGE || cut === true
}

/** The loaded part of a history when the user left the page. */
interface SavedHistory {
  filter: string
  jobs: readonly Job[]
  total: number | null
  isComplete: boolean
  hasMore: boolean
}

/** When the user comes back, the list is as long as before, so that they find their scroll position. */
const savedHistories = new WeakMap<object, SavedHistory>()

/** Loads the history, as long as the component lives. */
export function useHistory(
  filter: Readonly<Ref<Filter>>,
  live: Pick<Live, 'onJob' | 'onRemoved' | 'onSnapshot'>,
): History {
  const saved = savedOf(live, filter.value)
  const jobs = shallowRef<readonly Job[]>(saved?.jobs ?? [])
  const total = shallowRef<number | null>(saved?.total ?? null)
  const isComplete = shallowRef(saved?.isComplete ?? true)
  const hasMore = shallowRef(saved?.hasMore ?? false)
  const loading = shallowRef<'first' | 'more' | null>(null)
  /** The filter of the loaded jobs, as JSON. */
  let filtered = JSON.stringify(filter.value)
  let failed = begin
  const retry = new Retry(() => void failed())
  let attempt = new AbortController()
  /** Whether the request is a refresh in the background. */
  let isRefreshing = false
  let timer: ReturnType<typeof setTimeout> | undefined

  /** Requests a page. A new request replaces the previous one. */
  async function ask(what: 'first' | 'more' | null, before: number | undefined, take: (page: JobList) => void) {
    attempt.abort()
    attempt = new AbortController()
    const { signal } = attempt
    if (isRefreshing && what === 'more') {
      refreshSoon()
    }
    isRefreshing = what === null
    loading.value = what
    try {
      const page = await api.jobs(jobFilter(filter.value), { limit: PAGE, before, signal })
      if (!signal.aborted) {
        take(page)
        total.value = page.total
        isComplete.value = page.complete
        retry.succeeded()
      }
    } catch (error) {
      if (!signal.aborted) {
        if (what === 'first') {
          // The old entries match another filter.
          jobs.value = []
          total.value = null
          hasMore.value = false
        }
        failed = what === 'first' ? begin : what === 'more' ? loadMore : refresh
        retry.failed(error)
      }
    } finally {
      if (!signal.aborted) {
        loading.value = null
        isRefreshing = false
      }
    }
  }

  /** Whether there are more jobs after a page, when `count` jobs are loaded. */
  function goesOn(page: JobList, count: number): boolean {
    return isFull(page) && (!page.complete || page.total > count)
  }

  /** Loads the first page, for a new filter. */
  function begin(): Promise<void> {
    const asked = JSON.stringify(filter.value)
    return ask('first', undefined, (page) => {
      filtered = asked
      jobs.value = page.jobs
      hasMore.value = goesOn(page, page.jobs.length)
    })
  }

  async function loadMore(): Promise<void> {
    // The list is about to be replaced.
    if (loading.value === 'first') {
      return
    }
    await ask('more', jobs.value.at(-1)?.id, (page) => {
      jobs.value = [...jobs.value, ...page.jobs]
      hasMore.value = goesOn(page, jobs.value.length)
    })
  }

  /** Updates the first page, and keeps the older jobs. */
  function refresh(): Promise<void> {
    return ask(null, undefined, (page) => {
      const last = isFull(page) ? (page.jobs.at(-1)?.id ?? 0) : 0
      // If the page contains none of the shown jobs, there may be a gap between the two.
      const isGap = !jobs.value.some((job) => job.id >= last)
      const older = isGap ? [] : jobs.value.filter((job) => job.id < last)
      jobs.value = [...page.jobs, ...older]
      if (older.length === 0) {
        hasMore.value = goesOn(page, page.jobs.length)
      }
    })
  }

  /** Refreshes soon: once for many changes, and not while the user waits for another request. */
  function refreshSoon(): void {
    timer ??= setTimeout(() => {
      timer = undefined
      if (loading.value === null) {
        void refresh()
      } else {
        refreshSoon()
      }
    }, REFRESH_DELAY)
  }

  watch(filter, (now, before) => JSON.stringify(now) !== JSON.stringify(before) && void begin())
  live.onJob((job, before) => {
    const isWanted = filter.value.states.length > 0 || isFinal(job.state)
    if (isWanted && job.state !== before?.state) {
      refreshSoon()
    }
    // Ended jobs change as well, when they are retried.
    if (jobs.value.some(({ id }) => id === job.id)) {
      jobs.value = jobs.value.map((one) => (one.id === job.id ? job : one))
    }
  })
  live.onRemoved((removed) => {
    jobs.value = jobs.value.filter(({ id }) => id !== removed)
    refreshSoon()
  })
  live.onSnapshot(refreshSoon)
  onScopeDispose(() => {
    // The address, and with it the filter, already belongs to the next page.
    savedHistories.set(live, {
      filter: filtered,
      jobs: jobs.value,
      total: total.value,
      isComplete: isComplete.value,
      hasMore: hasMore.value,
    })
    attempt.abort()
    retry.stop()
    clearTimeout(timer)
  })
  void (saved === null ? begin() : refresh())

  return {
    jobs,
    total,
    isComplete,
    hasMore,
    loading,
    problem: retry.problem,
    retryAt: retry.at,
    loadMore,
    tryAgain: () => failed(),
  }
}

function savedOf(live: object, filter: Filter): SavedHistory | null {
  const saved = savedHistories.get(live)
  return saved?.filter === JSON.stringify(filter) && saved.jobs.length > 0 ? saved : null
}
