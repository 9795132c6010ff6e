import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'

import { LogSearch, type Found } from './search.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const match = (recno: number): Found => ({ type: 'match', recno })
const end = (matches: number, hidden = 0, complete = true): Found => ({ type: 'end', matches, hidden, complete })

/** A search with these results, and its requests. */
function searching(...found: Found[]): { search: LogSearch; asked: string[] } {
  const asked: string[] = []
  const search = new LogSearch(async function* (text) {
    asked.push(text)
    await Promise.resolve()
    yield* found
  })
  return { search, asked }
}

const done = (): Promise<unknown> => vi.advanceTimersByTimeAsync(1000)

describe('a search', () => {
  test('begins when nothing was typed for a moment', async () => {
    const { search, asked } = searching(end(0))
    for (const text of ['e', 'er', 'err']) {
      search.type(text)
      await vi.advanceTimersByTimeAsync(100)
    }
    expect(asked).toEqual([])
    await done()
    expect(asked).toEqual(['err'])
    expect(search.summary.value).toBe('no match')
  })

  test('goes from match to match, and around', async () => {
    const { search } = searching(match(10), match(20), match(30), end(3))
    search.type('x')
    await done()
    expect(search.summary.value).toBe('3 matches')
    expect(search.step(15, 1)).toBe(20)
    expect(search.summary.value).toBe('2 of 3')
    expect(search.step(20, 1)).toBe(30)
    expect(search.step(30, 1)).toBe(10)
    expect(search.summary.value).toBe('1 of 3')
    expect(search.step(10, -1)).toBe(30)
  })

  test('goes to where somebody wanted to go before it was found', async () => {
    const arrived: number[] = []
    const search = new LogSearch(
      async function* () {
        await Promise.resolve()
        yield* [match(10), match(20), end(2)]
      },
      (recno) => arrived.push(recno),
    )
    search.type('x')
    expect(search.step(15, 1)).toBeNull()
    await done()
    expect(arrived).toEqual([20])
    expect(search.summary.value).toBe('2 of 2')
    search.again()
    expect(search.step(15, 1)).toBeNull()
    search.type('xy')
    await done()
    expect(arrived).toEqual([20])
  })

  test('says what it did not search', async () => {
    const { search } = searching(match(1), match(2), end(2, 5, false))
    search.type('x')
    await done()
    expect(search.summary.value).toBe(
      '2+ matches; only a part of the log was searched; 5 hidden lines were not searched',
    )
    search.step(0, 1)
    expect(search.summary.value).toMatch(/^1 of 2\+;/)
  })

  test('that breaks off says so, and keeps what it has found', async () => {
    const { search } = searching(match(1))
    search.type('x')
    await done()
    expect(search.problem.value).toContain('was interrupted')
    expect(search.hits.value).toEqual([1])
    expect(search.summary.value).toBe('1 match')
  })

  test('goes on while the log grows, and keeps what it has found until then', async () => {
    const lines = [match(10)]
    const asked: number[] = []
    const search = new LogSearch(async function* () {
      asked.push(lines.length)
      await Promise.resolve()
      yield* [...lines, end(lines.length)]
    })
    search.grown(10)
    search.type('x')
    await done()
    expect(search.step(0, 1)).toBe(10)
    for (let records = 11; records <= 40; records += 1) {
      lines.push(match(records))
      search.grown(records)
      await vi.advanceTimersByTimeAsync(100)
      expect(search.summary.value).toBe('1 of 1')
    }
    await vi.advanceTimersByTimeAsync(60_000)
    expect(asked).toEqual([1, 31])
    expect(search.summary.value).toBe('1 of 31')
  })

  test('that fails while the log grows keeps what it has found, and is tried again', async () => {
    let problem: Error | null = null
    const search = new LogSearch(async function* () {
      await Promise.resolve()
      yield match(10)
      if (problem) {
        throw problem
      }
      yield end(1)
    })
    search.type('x')
    await done()
    problem = new Error('away')
    search.grown(20)
    await vi.advanceTimersByTimeAsync(6000)
    expect([search.problem.value, search.hits.value]).toEqual(['away', [10]])
    problem = null
    search.retry()
    expect(search.hits.value).toEqual([10])
    await done()
    expect([search.problem.value, search.summary.value]).toEqual([null, '1 match'])
    problem = new Error('away')
    search.grown(30)
    await vi.advanceTimersByTimeAsync(5400)
    expect([search.problem.value, search.retryAt.value !== null]).toEqual(['away', true])
    problem = null
    await vi.advanceTimersByTimeAsync(1000)
    expect([search.problem.value, search.retryAt.value, search.summary.value]).toEqual([null, null, '1 match'])
  })

  test('that could not be done does not say that there is no match', async () => {
    // eslint-disable-next-line require-yield
    const search = new LogSearch(async function* () {
      await Promise.reject(new Error('away'))
    })
    search.type('x')
    await done()
    expect([search.problem.value, search.summary.value]).toEqual(['away', ''])
  })

  test('is given up for another text', async () => {
    const signals: AbortSignal[] = []
    const search = new LogSearch(async function* (_, signal) {
      signals.push(signal)
      yield match(1)
      await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)))
    })
    search.type('a')
    await done()
    search.type('')
    await done()
    expect(signals.map(({ aborted }) => aborted)).toEqual([true])
    expect([search.hits.value, search.summary.value, search.problem.value]).toEqual([[], '', null])
  })
})
