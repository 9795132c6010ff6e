import { onScopeDispose, shallowRef, watch, type Ref } from 'vue'

import { api } from '@/api/client.ts'
import { Retry } from '@/api/retry.ts'
import { isFinal, type Job, type JobList } from '@/api/types.ts'
import type { Live } from '@/state/live.ts'

import { jobFilter, type Filter } from './filter.ts'

/** How many jobs are asked for at once. */
export const PAGE = 25

/** When jobs end by the hundred they are not asked for one by one. In milliseconds. */
const REFRESH_DELAY = 300

/** The jobs that pass a filter, the newest first: as many as were asked for, and kept up to date. */
export interface History {
  readonly jobs: Readonly<Ref<readonly Job[]>>
  /** How many pass the filter. Null before it is known. */
  readonly total: Readonly<Ref<number | null>>
  /** False: there was no time to look at all jobs, so there are at least that many. */
  readonly isComplete: Readonly<Ref<boolean>>
  readonly hasMore: Readonly<Ref<boolean>>
  /** What is being asked for: what is shown is about to be replaced, or added to. */
  readonly loading: Readonly<Ref<'first' | 'more' | null>>
  /** Why the last attempt failed. */
  readonly problem: Readonly<Ref<string | null>>
  /** When the same is done again by itself: see `Retry`. */
  readonly retryAt: Readonly<Ref<number | null>>
  loadMore: () => Promise<void>
  /** Does again what failed. */
  tryAgain: () => Promise<void>
}

/** Whether it has as many as it may have, so that others may follow. */
function isFull({ jobs, cut }: JobList): boolean {
  return jobs.length === PAGE || cut === true
}

/** What was loaded of a history when somebody left the page. */
interface SavedHistory {
  filter: string
  jobs: readonly Job[]
  total: number | null
  isComplete: boolean
  hasMore: boolean
}

/** Whoever comes back finds as much as they have left, and so the place on the page where they were. */
const savedHistories = new WeakMap<object, SavedHistory>()

/** Asks for the history, as long as the component lives. */
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
  /** Of which filter the jobs are, as JSON. */
  let filtered = JSON.stringify(filter.value)
  let failed = begin
  const retry = new Retry(() => void failed())
  let attempt = new AbortController()
  /** Whether the attempt is one that nobody waits for. */
  let isRefreshing = false
  let timer: ReturnType<typeof setTimeout> | undefined

  /** Asks for a page. A new question makes the one before void. */
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
          // What was shown is of another filter.
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

  /** Whether there are jobs behind a page that is the last of so many. */
  function goesOn(page: JobList, count: number): boolean {
    return isFull(page) && (!page.complete || page.total > count)
  }

  /** Anew, with another filter. */
  function begin(): Promise<void> {
    const asked = JSON.stringify(filter.value)
    return ask('first', undefined, (page) => {
      filtered = asked
      jobs.value = page.jobs
      hasMore.value = goesOn(page, page.jobs.length)
    })
  }

  async function loadMore(): Promise<void> {
    // What there is then is to be replaced, and nothing follows it.
    if (loading.value === 'first') {
      return
    }
    await ask('more', jobs.value.at(-1)?.id, (page) => {
      jobs.value = [...jobs.value, ...page.jobs]
      hasMore.value = goesOn(page, jobs.value.length)
    })
  }

  /** Brings the first page up to date, and keeps what follows it. */
  function refresh(): Promise<void> {
    return ask(null, undefined, (page) => {
      const last = isFull(page) ? (page.jobs.at(-1)?.id ?? 0) : 0
      // If nothing that was shown is in the page, there may be jobs between the two that nobody has asked for.
      const isGap = !jobs.value.some((job) => job.id >= last)
      const older = isGap ? [] : jobs.value.filter((job) => job.id < last)
      jobs.value = [...page.jobs, ...older]
      if (older.length === 0) {
        hasMore.value = goesOn(page, page.jobs.length)
      }
    })
  }

  /** Refreshes in a moment: not for each of many, and not while something is asked for that somebody waits for. */
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
    // Also what has ended changes: when it is tried again.
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
    // The address, and with it the filter, is that of the next page already.
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
