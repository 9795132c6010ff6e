import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { effectScope, nextTick, shallowRef } from 'vue'

import { api } from '@/api/client.ts'
import type { LogExtent, LogMark } from '@/api/types.ts'
import { useLive } from '@/state/live.ts'

import { MarkSearch, useMarks, type Marks } from './marks.ts'

vi.mock('@/state/live.ts', () => ({ useLive: vi.fn() }))

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

/** A log in which every tenth record is an error, and the others are statuses. */
class FakeLog {
  records = 0
  asked: number[] = []
  /** How many records one answer searches. */
  reach = Infinity
  problem: Error | null = null
  breaksOff = false

  readonly ask = async function* (
    this: FakeLog,
    from: number,
  ): AsyncGenerator<LogMark | { type: 'end'; next: number; complete: boolean }> {
    this.asked.push(from)
    await Promise.resolve()
    if (this.problem) {
      throw this.problem
    }
    const last = Math.min(this.records, from + this.reach - 1)
    for (let recno = from; recno <= last; recno += 1) {
      yield recno % 10 === 0 ? { recno, type: 'error' } : { recno, type: 'status', status: 'x' }
    }
    if (!this.breaksOff) {
      yield { type: 'end', next: last + 1, complete: last === this.records }
    }
  }.bind(this)
}

const soon = (): Promise<unknown> => vi.advanceTimersByTimeAsync(10)
const numbers = (search: MarkSearch): number[] => search.list.value.map(({ recno }) => recno)
const upTo = (last: number): number[] => Array.from({ length: last }, (_, at) => at + 1)

describe('marks', () => {
  test('are asked for once, and then only when the log has grown', async () => {
    const log = new FakeLog()
    log.records = 5
    const search = new MarkSearch(log.ask)
    await vi.advanceTimersByTimeAsync(60_000)
    expect(log.asked).toEqual([1])
    expect(numbers(search)).toEqual(upTo(5))

    log.records = 7
    search.grown(7, false)
    await soon()
    expect(log.asked).toEqual([1, 6])
    expect(numbers(search)).toEqual(upTo(7))
    search.grown(7, false)
    await vi.advanceTimersByTimeAsync(60_000)
    expect(log.asked).toEqual([1, 6])
  })

  test('are asked for once a second while it grows', async () => {
    const log = new FakeLog()
    const search = new MarkSearch(log.ask)
    for (let turn = 1; turn <= 100; turn += 1) {
      log.records += 1
      search.grown(log.records, false)
      await vi.advanceTimersByTimeAsync(50)
    }
    expect(log.asked.length).toBeLessThanOrEqual(6)
    await vi.advanceTimersByTimeAsync(1000)
    expect(numbers(search)).toEqual(upTo(100))
  })

  test('are asked for a last time when the log is complete', async () => {
    const log = new FakeLog()
    log.records = 3
    const search = new MarkSearch(log.ask)
    await vi.advanceTimersByTimeAsync(2000)
    search.grown(3, true)
    search.grown(3, true)
    await vi.advanceTimersByTimeAsync(2000)
    expect(log.asked).toEqual([1, 4])
  })

  test('come in several answers where one was not enough', async () => {
    const log = new FakeLog()
    log.records = 30
    log.reach = 12
    const search = new MarkSearch(log.ask)
    await vi.advanceTimersByTimeAsync(5000)
    expect(log.asked).toEqual([1, 13, 25])
    expect(numbers(search)).toEqual(upTo(30))
  })

  test('that could not be asked for say why, and come later', async () => {
    const log = new FakeLog()
    log.records = 3
    log.problem = new Error('away')
    const search = new MarkSearch(log.ask)
    await vi.advanceTimersByTimeAsync(60_000)
    expect(search.problem.value).toBe('away')
    expect(log.asked.length).toBeLessThan(12)
    log.problem = null
    await vi.advanceTimersByTimeAsync(30_000)
    expect([search.problem.value, search.retryAt.value]).toEqual([null, null])
    expect(numbers(search)).toEqual(upTo(3))
  })

  test('that cannot be asked for are not asked for more often, however fast the log grows', async () => {
    const log = new FakeLog()
    log.problem = new Error('away')
    const search = new MarkSearch(log.ask)
    for (let turn = 1; turn <= 100; turn += 1) {
      search.grown(turn, false)
      await vi.advanceTimersByTimeAsync(50)
    }
    expect(log.asked.length).toBeLessThanOrEqual(6)
    expect(search.problem.value).toBe('away')
  })

  test('of an answer that was cut off are not there twice', async () => {
    const log = new FakeLog()
    log.records = 3
    log.breaksOff = true
    const search = new MarkSearch(log.ask)
    await soon()
    expect(search.problem.value).toContain('was cut off')
    log.breaksOff = false
    search.retry()
    await vi.advanceTimersByTimeAsync(1000)
    expect(numbers(search)).toEqual(upTo(3))
  })

  test('are kept up to a limit, errors and others apart', async () => {
    const log = new FakeLog()
    log.records = 50_000
    const search = new MarkSearch(log.ask)
    await soon()
    const errors = search.list.value.filter(({ type }) => type === 'error')
    expect(errors).toHaveLength(5000)
    expect(search.list.value).toHaveLength(15_000)
    expect(search.isCut.value).toBe(true)
  })
})

test('the marks of a page are those of its job, also when that is another one', async () => {
  const logs = new Map([1, 2].map((id) => [id, new FakeLog()]))
  const signals: AbortSignal[] = []
  vi.spyOn(api, 'marks').mockImplementation((job, from, signal) => {
    signals.push(signal)
    return (logs.get(job) as FakeLog).ask(from)
  })
  const log = shallowRef<LogExtent | null>(null)
  const connection = shallowRef({ state: 'live' })
  vi.mocked(useLive).mockReturnValue({ log, connection } as unknown as ReturnType<typeof useLive>)
  const [one, two] = [logs.get(1) as FakeLog, logs.get(2) as FakeLog]
  one.records = 2
  two.records = 3

  const job = shallowRef(1)
  const scope = effectScope()
  const marks = scope.run(() => useMarks(job)) as Marks
  await vi.advanceTimersByTimeAsync(2000)
  expect(marks.list.value).toHaveLength(2)

  one.records = 4
  log.value = { id: 1, records: 4, complete: false }
  await vi.advanceTimersByTimeAsync(2000)
  expect(marks.list.value).toHaveLength(4)

  job.value = 2
  await nextTick()
  expect(marks.list.value).toHaveLength(0)
  await vi.advanceTimersByTimeAsync(2000)
  expect(marks.list.value).toHaveLength(3)
  expect(one.asked).toEqual([1, 3])

  two.problem = new Error('away')
  log.value = { id: 2, records: 9, complete: false }
  await vi.advanceTimersByTimeAsync(2000)
  expect(marks.problem.value).toBe('away')
  two.problem = null
  two.records = 9
  connection.value = { state: 'broken' }
  await nextTick()
  connection.value = { state: 'live' }
  await vi.advanceTimersByTimeAsync(2000)
  expect(marks.problem.value).toBeNull()
  expect(marks.list.value).toHaveLength(9)

  scope.stop()
  expect(signals.every(({ aborted }) => aborted)).toBe(true)
})
