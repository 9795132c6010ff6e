import { flushPromises, mount } from '@vue/test-utils'
import { beforeEach, describe, expect, test, vi } from 'vitest'
import { shallowReactive, shallowRef } from 'vue'

import { api, ApiError } from '@/api/client.ts'
import type { Connection } from '@/api/events.ts'
import { aJob } from '@/api/testing.ts'
import type { Job } from '@/api/types.ts'
import { provideLive, type Live } from '@/state/live.ts'

import { useJob } from './job.ts'

/** Events of the stream, sent by the test. */
function aLive() {
  const jobs = shallowReactive(new Map<number, Job>())
  return {
    jobs,
    isReady: shallowRef(true),
    connection: shallowRef<Connection>({ state: 'live' }),
    follow: vi.fn(),
    learn: (job: Job) => jobs.set(job.id, job),
  }
}

let live: ReturnType<typeof aLive>

function use(id: number) {
  let used: ReturnType<typeof useJob> | undefined
  const component = {
    props: ['id'],
    setup(props: { id: number }) {
      used = useJob(() => props.id)
      return () => null
    },
  }
  const page = mount(component, {
    props: { id },
    global: { plugins: [(app) => provideLive(app, live as unknown as Live)] },
  })
  return { page, used: used as ReturnType<typeof useJob> }
}

beforeEach(() => {
  live = aLive()
  vi.spyOn(api, 'job').mockImplementation((id) => Promise.resolve(aJob({ id, state: 'failed' })))
})

describe('a job', () => {
  test('that the stream tells of is not asked for', async () => {
    live.jobs.set(3, aJob({ id: 3 }))
    const { used } = use(3)
    await flushPromises()
    expect(used.job.value?.id).toBe(3)
    expect(api.job).not.toHaveBeenCalled()
  })

  test('that ended long ago is asked for, once it is known that the stream does not tell of it', async () => {
    live.isReady.value = false
    const { used } = use(3)
    await flushPromises()
    expect(api.job).not.toHaveBeenCalled()
    live.isReady.value = true
    await flushPromises()
    expect(used.job.value?.state).toBe('failed')
  })

  test('that is large is asked for, and what is told later of it does not cut it again', async () => {
    vi.mocked(api.job).mockResolvedValue(aJob({ id: 3, params: { text: 'all of it' } }))
    live.jobs.set(3, aJob({ id: 3, params: { text: 'all…' }, truncated: true }))
    const { used } = use(3)
    expect(used.job.value?.params).toEqual({ text: 'all…' })
    await flushPromises()
    expect(used.job.value).toMatchObject({ params: { text: 'all of it' }, truncated: false })
    live.jobs.set(3, aJob({ id: 3, params: { text: 'all…' }, truncated: true, state: 'failed' }))
    expect(used.job.value).toMatchObject({ params: { text: 'all of it' }, state: 'failed' })
  })

  test('that is not there is missing', async () => {
    vi.mocked(api.job).mockRejectedValue(new ApiError('There is no job 3', 404))
    const { used } = use(3)
    await flushPromises()
    expect(used.problem.value).toEqual({ kind: 'missing' })
    // The API refuses a stream for a log that does not exist.
    expect(live.follow).not.toHaveBeenCalledWith(3)
  })

  test('that could not be asked for is asked for again when the connection is back', async () => {
    vi.mocked(api.job).mockRejectedValueOnce(new ApiError('SpiderPig cannot be reached', 0))
    const { used } = use(3)
    await flushPromises()
    expect(used.problem.value).toEqual({ kind: 'failed', reason: 'SpiderPig cannot be reached' })
    live.connection.value = { state: 'broken', reason: 'gone', retryAt: null }
    await flushPromises()
    live.connection.value = { state: 'live' }
    await flushPromises()
    expect(used.problem.value).toBeNull()
    expect(used.job.value?.id).toBe(3)
  })

  test('that could not be asked for is asked for again also while the connection is there', async () => {
    vi.useFakeTimers()
    vi.mocked(api.job).mockRejectedValueOnce(new ApiError('The server is too busy', 503))
    const { used } = use(3)
    await vi.advanceTimersByTimeAsync(0)
    expect([used.problem.value?.kind, used.retryAt.value !== null]).toEqual(['failed', true])
    await vi.advanceTimersByTimeAsync(1000)
    expect([used.problem.value, used.job.value?.id]).toEqual([null, 3])
    vi.useRealTimers()
  })

  test('that the stream forgets stays on the page', async () => {
    live.jobs.set(3, aJob({ id: 3 }))
    const { used } = use(3)
    live.connection.value = { state: 'broken', reason: 'gone', retryAt: null }
    live.jobs.delete(3)
    await flushPromises()
    expect(used.job.value?.id).toBe(3)
  })
})

test('the log is followed as long as the page shows the job', async () => {
  const { page, used } = use(3)
  await flushPromises()
  expect(live.follow).toHaveBeenLastCalledWith(3)
  await page.setProps({ id: 4 })
  await flushPromises()
  expect(used.job.value?.id).toBe(4)
  expect(live.follow).toHaveBeenLastCalledWith(4)
  page.unmount()
  expect(live.follow).toHaveBeenLastCalledWith(null)
})
