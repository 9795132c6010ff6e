import { afterEach, beforeEach, expect, test, vi, type MockInstance } from 'vitest'
import { effectScope, shallowRef, type EffectScope } from 'vue'

import { aQueuedJob } from '@/api/testing.ts'
import { api, ApiError } from '@/api/client.ts'
import type { Job, JobList } from '@/api/types.ts'

import { filterOf, type Filter } from './filter.ts'
import { PAGE, useHistory, type History } from './history.ts'

type JobListener = (job: Job, before: Job | undefined) => void

/** What the API has: jobs from the newest on. */
let stored: Job[] = []
/** How many of them it puts into a page at most, as if they were large. */
let most = Infinity
let scope: EffectScope
let tell: JobListener = () => undefined
let tellAnew: () => void = () => undefined
let remove: (job: number) => void = () => undefined
const filter = shallowRef<Filter>(filterOf({}))
let jobs: MockInstance<typeof api.jobs>

function ended(id: number, different: Partial<Job> = {}): Job {
  return aQueuedJob(id, { state: 'succeeded', ...different })
}

/** Jobs from one number down to another. */
function from(first: number, last: number): Job[] {
  return Array.from({ length: first - last + 1 }, (_, place) => ended(first - place))
}

function answer({ limit, before = Infinity }: { limit: number; before?: number }): JobList {
  const page = stored.filter(({ id }) => id < before).slice(0, limit)
  const cut = page.length > most
  return { jobs: page.slice(0, most), total: stored.length, complete: true, ...(cut && { cut }) }
}

function aLive() {
  return {
    onJob: (listener: JobListener) => (tell = listener),
    onRemoved: (listener: (job: number) => void) => (remove = listener),
    onSnapshot: (listener: () => void) => (tellAnew = listener),
  }
}

async function open(live = aLive()): Promise<History> {
  const history = scope.run(() => useHistory(filter, live))
  await settled()
  return history as History
}

async function settled(): Promise<void> {
  await vi.advanceTimersByTimeAsync(0)
}

async function later(): Promise<void> {
  await vi.advanceTimersByTimeAsync(1000)
}

function shown(history: History): string {
  const ids = history.jobs.value.map(({ id }) => id)
  return `${ids[0]}–${ids.at(-1)}: ${ids.length} of ${history.total.value}`
}

beforeEach(() => {
  most = Infinity
  vi.useFakeTimers()
  scope = effectScope()
  filter.value = filterOf({})
  jobs = vi.spyOn(api, 'jobs').mockImplementation((_, page) => Promise.resolve(answer(page)))
})

afterEach(() => {
  scope.stop()
  vi.useRealTimers()
})

test('the first page is asked for at once, of jobs that have ended', async () => {
  stored = from(60, 1)
  const history = await open()
  expect(shown(history)).toBe('60–36: 25 of 60')
  expect(history.hasMore.value).toBe(true)
  expect(jobs.mock.calls[0]?.[0].state).toContain('succeeded')
  expect(jobs.mock.calls[0]?.[0].state).not.toContain('running')
})

test('large jobs come in smaller pages, and none is left out', async () => {
  stored = from(10, 1)
  most = 4
  const history = await open()
  expect(shown(history)).toBe('10–7: 4 of 10')
  await history.loadMore()
  await history.loadMore()
  expect(shown(history)).toBe('10–1: 10 of 10')
  expect(history.hasMore.value).toBe(false)
})

test('more is asked for up to the end', async () => {
  stored = from(2 * PAGE, 1)
  const history = await open()
  await history.loadMore()
  expect(shown(history)).toBe('50–1: 50 of 50')
  expect(history.hasMore.value).toBe(false)
})

test('a job that ends is there soon, and what was loaded more stays', async () => {
  stored = from(60, 1)
  const history = await open()
  await history.loadMore()
  stored = from(62, 1)
  tell(ended(61), aQueuedJob(61, { state: 'running' }))
  tell(ended(62), aQueuedJob(62, { state: 'running' }))
  await later()
  expect(shown(history)).toBe('62–11: 52 of 62')
  expect(history.jobs.value.map(({ id }) => id)).toEqual(from(62, 11).map(({ id }) => id))
  expect(history.hasMore.value).toBe(true)
  expect(jobs).toHaveBeenCalledTimes(3)
})

test('a job that goes on is none of its business', async () => {
  await open()
  tell(aQueuedJob(7, { state: 'running' }), aQueuedJob(7))
  tell(ended(6), ended(6))
  await later()
  expect(jobs).toHaveBeenCalledTimes(1)
})

test('with a filter on states every change of one matters', async () => {
  filter.value = { ...filterOf({}), states: ['running'] }
  await open()
  tell(aQueuedJob(7, { state: 'running' }), aQueuedJob(7))
  await later()
  expect(jobs).toHaveBeenCalledTimes(2)
})

test('a job that is removed goes, wherever it is, and is counted no more', async () => {
  stored = from(60, 1)
  const history = await open()
  await history.loadMore()
  stored = stored.filter(({ id }) => id !== 20)
  remove(20)
  expect(history.jobs.value.some(({ id }) => id === 20)).toBe(false)
  await later()
  expect(shown(history)).toBe('60–11: 49 of 59')
})

test('a job that is tried again says so, wherever it is', async () => {
  stored = from(60, 1)
  const history = await open()
  await history.loadMore()
  tell(ended(20, { retries: [61] }), ended(20))
  expect(history.jobs.value.find(({ id }) => id === 20)?.retries).toEqual([61])
  expect(shown(history)).toBe('60–11: 50 of 60')
})

test('after everything was told anew it is looked at again', async () => {
  stored = from(3, 1)
  const history = await open()
  stored = from(4, 2)
  tellAnew()
  await later()
  expect(shown(history)).toBe('4–2: 3 of 3')
})

test('no hole is left when more has happened than fits on a page', async () => {
  stored = from(40, 1)
  const history = await open()
  await history.loadMore()
  stored = from(100, 1)
  tellAnew()
  await later()
  expect(shown(history)).toBe('100–76: 25 of 100')
  expect(history.hasMore.value).toBe(true)
})

test('another filter begins anew, and makes what was asked for before void', async () => {
  stored = from(60, 1)
  const history = await open()
  let late: (page: JobList) => void = () => undefined
  jobs.mockImplementationOnce(() => new Promise((resolve) => (late = resolve)))
  void history.loadMore()
  stored = [ended(5, { user: 'bob' })]
  filter.value = { ...filter.value, user: 'bob' }
  await settled()
  late({ jobs: from(35, 11), total: 60, complete: true })
  await settled()
  expect(shown(history)).toBe('5–5: 1 of 1')
  expect(jobs.mock.lastCall?.[0].user).toBe('bob')
  expect(history.loading.value).toBeNull()
})

test('an address that changes elsewhere changes nothing', async () => {
  await open()
  filter.value = { ...filter.value }
  await settled()
  expect(jobs).toHaveBeenCalledTimes(1)
})

test('a failure is told, what is shown stays, and the same can be tried again', async () => {
  stored = from(60, 1)
  const history = await open()
  jobs.mockRejectedValueOnce(new ApiError('Too many people search', 503))
  await history.loadMore()
  expect(history.problem.value).toBe('Too many people search')
  expect(shown(history)).toBe('60–36: 25 of 60')
  await history.tryAgain()
  expect(history.problem.value).toBeNull()
  expect(shown(history)).toBe('60–11: 50 of 60')
})

test('what failed is done again by itself', async () => {
  stored = from(60, 1)
  const history = await open()
  jobs.mockRejectedValueOnce(new ApiError('Too many people search', 503))
  await history.loadMore()
  expect(history.retryAt.value).not.toBeNull()
  await vi.advanceTimersByTimeAsync(1000)
  expect([history.problem.value, history.retryAt.value]).toEqual([null, null])
  expect(shown(history)).toBe('60–11: 50 of 60')
})

test('jobs of another filter are not shown where those of this one failed to load', async () => {
  stored = from(60, 1)
  const history = await open()
  jobs.mockRejectedValueOnce(new ApiError('SpiderPig cannot be reached', 0))
  filter.value = { ...filter.value, user: 'bob' }
  await settled()
  expect(history.jobs.value).toEqual([])
  expect(history.total.value).toBeNull()
  expect(history.hasMore.value).toBe(false)
})

test('a first page that failed is asked for when the connection is back', async () => {
  stored = from(3, 1)
  jobs.mockRejectedValueOnce(new ApiError('SpiderPig cannot be reached', 0))
  const history = await open()
  expect(history.problem.value).toBe('SpiderPig cannot be reached')
  expect(history.total.value).toBeNull()
  tellAnew()
  await later()
  expect(history.problem.value).toBeNull()
  expect(shown(history)).toBe('3–1: 3 of 3')
})

test('who asks for more does not make it miss what is new', async () => {
  stored = from(60, 1)
  const history = await open()
  jobs.mockImplementationOnce(() => new Promise(() => undefined))
  tellAnew()
  await later()
  stored = from(61, 1)
  await history.loadMore()
  await later()
  expect(shown(history)).toBe('61–11: 51 of 61')
})

test('it is asked no more when its page is left', async () => {
  await open()
  tellAnew()
  scope.stop()
  await later()
  expect(jobs).toHaveBeenCalledTimes(1)
})

test('while another filter is asked for, more of it cannot be asked for', async () => {
  stored = from(60, 1)
  const history = await open()
  stored = from(3, 1)
  filter.value = filterOf({ q: 'x' })
  const more = history.loadMore()
  await settled()
  await more
  expect(shown(history)).toBe('3–1: 3 of 3')
})

test('who comes back finds as much as they have left, and then what is new', async () => {
  stored = from(60, 1)
  const live = aLive()
  const left = await open(live)
  await left.loadMore()
  // As when a link is followed: the address changes first.
  filter.value = filterOf({ q: 'x' })
  await Promise.resolve()
  scope.stop()
  filter.value = filterOf({})
  scope = effectScope()
  stored = from(61, 1)
  const opening = open(live)
  expect(jobs).toHaveBeenCalledTimes(4)
  const history = await opening
  expect(shown(history)).toBe('61–11: 51 of 61')
  expect(history.hasMore.value).toBe(true)
})

test('who comes back with another filter finds that', async () => {
  stored = from(60, 1)
  const live = aLive()
  await open(live)
  scope.stop()
  scope = effectScope()
  filter.value = filterOf({ q: 'x' })
  stored = from(3, 1)
  expect(shown(await open(live))).toBe('3–1: 3 of 3')
})
