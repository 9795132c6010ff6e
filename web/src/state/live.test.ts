import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { effectScope } from 'vue'

import type { Listener } from '@/api/events.ts'
import { aJob, aRunner } from '@/api/testing.ts'
import type { Job, JobState, Runner } from '@/api/types.ts'

import { Live } from './live.ts'

const stream = vi.hoisted(() => ({
  listener: undefined as Listener | undefined,
  follow: vi.fn(),
  start: vi.fn(),
  stop: vi.fn(),
  retryNow: vi.fn(),
}))

vi.mock('@/api/shared.ts', () => ({
  SharedEvents: class {
    constructor(listener: Listener) {
      stream.listener = listener
    }
    follow = stream.follow
    start = stream.start
    stop = stream.stop
    retryNow = stream.retryNow
  },
}))

let live: Live

function told(): Listener {
  if (stream.listener === undefined) {
    throw new Error('nobody listens')
  }
  return stream.listener
}

const tell = (job: Job) => told().event({ type: 'job', data: job }, null)
const begin = (jobs: Job[], runner: Runner = aRunner()) =>
  told().event({ type: 'snapshot', data: { runner, jobs, total: jobs.length } }, null)
const job = (id: number, state: JobState = 'running') => aJob({ id, state })

beforeEach(() => {
  ;[stream.start, stream.stop, stream.retryNow].forEach((spy) => spy.mockClear())
  live = new Live()
})

afterEach(() => {
  vi.useRealTimers()
})

describe('what is going on', () => {
  test('is not known before the first snapshot', () => {
    expect(live.isReady.value).toBe(false)
    expect(live.runner.value).toBeNull()
    begin([job(1)], aRunner({ paused: 'lunch' }))
    expect(live.isReady.value).toBe(true)
    expect(live.runner.value?.paused).toBe('lunch')
    expect([...live.jobs.keys()]).toEqual([1])
  })

  test('has the data of a job as they were told, which is done once', () => {
    begin([{ ...job(1), data: { changes: 2 } }])
    const update: Partial<Job> = job(1, 'waiting')
    delete update.data
    told().event({ type: 'job', data: update as Job }, null)
    expect(live.jobs.get(1)).toMatchObject({ state: 'waiting', data: { changes: 2 } })
  })

  test('is what was told last', () => {
    begin([job(1, 'queued')])
    tell(job(1, 'running'))
    tell(job(2, 'queued'))
    told().event({ type: 'runner', data: aRunner({ up: false }) }, null)
    expect(live.jobs.get(1)?.state).toBe('running')
    expect(live.jobs.get(2)?.state).toBe('queued')
    expect(live.runner.value?.up).toBe(false)
    told().event({ type: 'removed', data: { id: 2 } }, null)
    expect(live.jobs.has(2)).toBe(false)
  })

  test('is right after a new snapshot: what had not ended and is not told of is gone, what had ended stays', () => {
    begin([job(1, 'succeeded'), job(2, 'running'), job(3, 'waiting')])
    begin([job(3, 'failed')])
    expect([...live.jobs.values()].map(({ id, state }) => [id, state])).toEqual([
      [1, 'succeeded'],
      [3, 'failed'],
    ])
  })

  test('is not changed by what was asked for, which may be older', () => {
    begin([job(1, 'failed')])
    live.learn(job(1, 'running'))
    live.learn(job(9, 'succeeded'))
    expect(live.jobs.get(1)?.state).toBe('failed')
    expect(live.jobs.get(9)?.state).toBe('succeeded')
  })

  test('is bounded: the oldest that have ended are forgotten, what runs never', () => {
    begin([job(1, 'running')])
    for (let id = 2; id <= 1002; id += 1) {
      tell(job(id, 'succeeded'))
    }
    expect(live.jobs.size).toBeLessThanOrEqual(1000)
    expect(live.jobs.has(1)).toBe(true)
    expect(live.jobs.has(2)).toBe(false)
    expect(live.jobs.has(1002)).toBe(true)
  })

  test('has what other programs report, as another object each time', () => {
    expect(live.monitoring.value).toBeNull()
    const monitoring = { train: { time: 1 }, mediawiki: null }
    told().event({ type: 'snapshot', data: { runner: aRunner(), jobs: [], total: 0, monitoring } }, null)
    expect(live.monitoring.value).toEqual(monitoring)
    told().event({ type: 'monitoring', data: { train: null, mediawiki: { time: 2, total: 3 } } }, null)
    expect(live.monitoring.value).toEqual({ train: null, mediawiki: { time: 2, total: 3 } })
  })

  test('has the time of the last sign of life', () => {
    vi.useFakeTimers({ now: 5000 })
    expect(live.heardAt.value).toBeNull()
    told().heard()
    expect(live.heardAt.value).toBe(5000)
  })
})

describe('who listens', () => {
  test('is told of each job with what it was before, as long as the component lives', () => {
    const listener = vi.fn<(job: Job, before: Job | undefined) => void>()
    const scope = effectScope()
    begin([job(1, 'running')])
    scope.run(() => live.onJob(listener))
    tell(job(1, 'waiting'))
    tell(job(2, 'queued'))
    begin([job(1, 'succeeded')])
    expect(listener.mock.calls.map(([now, before]) => [now.id, now.state, before?.state])).toEqual([
      [1, 'waiting', 'running'],
      [2, 'queued', undefined],
      [1, 'succeeded', 'waiting'],
    ])
    scope.stop()
    tell(job(1, 'failed'))
    expect(listener).toHaveBeenCalledTimes(3)
  })

  test('is told when everything was told anew, with everything in place', () => {
    const scope = effectScope()
    const seen: number[] = []
    scope.run(() => live.onSnapshot(() => seen.push(live.jobs.size)))
    begin([job(1), job(2)])
    expect(seen).toEqual([2])
    scope.stop()
    begin([])
    expect(seen).toEqual([2])
  })
})

describe('a log that is followed', () => {
  test('is as long as was told last, and another one is not known yet', () => {
    live.follow(4)
    expect(stream.follow).toHaveBeenLastCalledWith(4)
    told().event({ type: 'log', data: { id: 4, records: 10, complete: false } }, null)
    live.follow(4)
    expect(live.log.value?.records).toBe(10)
    live.follow(5)
    expect(live.log.value).toBeNull()
    live.follow(null)
    expect(stream.follow).toHaveBeenLastCalledWith(null)
  })
})

describe('listening', () => {
  test('begins once, and is tried again at once when it is to begin again', () => {
    live.start()
    live.start()
    expect([stream.start.mock.calls.length, stream.retryNow.mock.calls.length]).toEqual([1, 1])
  })

  test('ends with nothing left of what was told', () => {
    live.start()
    live.follow(1)
    begin([job(1)])
    told().event({ type: 'log', data: { id: 1, records: 10, complete: false } }, null)
    told().heard()
    live.stop()
    expect(stream.stop).toHaveBeenCalledOnce()
    expect([live.jobs.size, live.runner.value, live.log.value, live.monitoring.value]).toEqual([0, null, null, null])
    expect([live.isReady.value, live.heardAt.value, live.connection.value.state]).toEqual([false, null, 'connecting'])
    live.start()
    expect(stream.start).toHaveBeenCalledTimes(2)
  })
})
