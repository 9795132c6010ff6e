import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'

import type { LogRecord, LogWindow } from '@/api/types.ts'

import { Stretch, type ReadWindow, type Target } from './stretch.ts'

/** A log as the API gives it. */
class FakeLog {
  records: LogRecord[] = []
  /** Windows are full with so many characters. */
  limit = 1 << 20
  hidden = new Set<number>()
  asked: [from: number, count: number][] = []
  problem: Error | null = null

  write(...lines: string[]): this {
    for (const text of lines) {
      this.records.push({ recno: this.records.length + 1, type: 'line', line: text })
    }
    return this
  }

  readonly read: ReadWindow = async (from, count, signal) => {
    this.asked.push([from, count])
    await Promise.resolve()
    signal.throwIfAborted()
    if (this.problem) {
      throw this.problem
    }
    const total = this.records.length
    const first = from < 0 ? Math.max(0, total + from) + 1 : from
    const window: LogWindow = { records: [], total, from: first, next: first, hidden: 0 }
    let size = 0
    for (const record of this.records.slice(first - 1, first - 1 + count)) {
      window.next += 1
      if (this.hidden.has(record.recno)) {
        window.hidden += 1
        continue
      }
      window.records.push(record)
      size += record.type === 'line' ? record.line.length : 0
      if (size >= this.limit) {
        break
      }
    }
    return window
  }
}

const settled = async (): Promise<void> => {
  for (let turn = 0; turn < 200; turn += 1) {
    await Promise.resolve()
  }
}

const many = (count: number, text = 'a line'): FakeLog =>
  new FakeLog().write(...Array.from({ length: count }, (_, at) => `${text} ${at + 1}`))

const stretchOf = (log: FakeLog): { stretch: Stretch; opened: Target[] } => {
  const opened: Target[] = []
  const stretch = new Stretch(log.read, vi.fn(), (target) => opened.push(target))
  return { stretch, opened }
}

/** It has what the log has between its ends. */
const isTrue = (stretch: Stretch, log: FakeLog): void => {
  const covered = stretch.entries.flatMap((entry) =>
    entry.type === 'hidden' ? Array.from({ length: entry.count }, (_, at) => entry.recno + at) : [entry.recno],
  )
  expect(covered).toEqual(Array.from({ length: stretch.next - stretch.from }, (_, at) => stretch.from + at))
  for (const entry of stretch.entries) {
    if (entry.type !== 'hidden') {
      expect(entry).toBe(log.records[entry.recno - 1])
    }
  }
}

describe('opening', () => {
  test('at the end takes the last records with one request', async () => {
    const log = many(100_000)
    const { stretch, opened } = stretchOf(log)
    stretch.open('end')
    await settled()
    expect(opened).toEqual(['end'])
    expect(log.asked).toHaveLength(1)
    expect(stretch.total).toBe(100_000)
    expect(stretch.isAtEnd).toBe(true)
    expect(stretch.entries.length).toBeGreaterThan(100)
    isTrue(stretch, log)
  })

  test('at a record takes what is around it', async () => {
    const log = many(100_000)
    const { stretch } = stretchOf(log)
    stretch.open(5000)
    await settled()
    expect(stretch.holds(5000)).toBe(true)
    expect(stretch.holds(4950)).toBe(true)
    expect(stretch.holds(5050)).toBe(true)
    isTrue(stretch, log)
  })

  test('an empty log is at both its ends', async () => {
    const { stretch } = stretchOf(new FakeLog())
    stretch.open('end')
    await settled()
    expect([stretch.total, stretch.isAtStart, stretch.isAtEnd, stretch.entries.length]).toEqual([0, true, true, 0])
  })

  test('behind the end is at the end', async () => {
    const log = many(10)
    const { stretch, opened } = stretchOf(log)
    stretch.open(5000)
    await settled()
    expect(opened).toEqual([5000])
    expect(stretch.isAtEnd).toBe(true)
    isTrue(stretch, log)
  })

  test('finds the place also where few records fill an answer', async () => {
    const log = many(2000, 'x'.repeat(65_536))
    for (const target of [1500, 'end'] as const) {
      const { stretch } = stretchOf(log)
      log.asked = []
      stretch.open(target)
      await settled()
      expect(stretch.holds(target === 'end' ? 2000 : target)).toBe(true)
      expect(log.asked.length).toBeLessThanOrEqual(3)
      isTrue(stretch, log)
    }
  })

  test('of many wishes that come together only the first and the last are asked for', async () => {
    const log = many(100_000)
    const { stretch, opened } = stretchOf(log)
    for (let target = 10_000; target <= 90_000; target += 10_000) {
      stretch.open(target)
    }
    await settled()
    expect(opened).toEqual([10_000, 90_000])
  })

  test('that fails says why, and is tried again', async () => {
    const log = many(100)
    log.problem = new Error('no such luck')
    const { stretch, opened } = stretchOf(log)
    stretch.open(50)
    await settled()
    expect(stretch.problems.open).toBe('no such luck')
    log.problem = null
    stretch.retry()
    await settled()
    expect(stretch.problems.open).toBeNull()
    expect(opened).toEqual([50])
  })
})

describe('growing', () => {
  test('goes to both ends of the log, without a hole and without too much', async () => {
    const log = many(12_000)
    const { stretch } = stretchOf(log)
    stretch.open(6000)
    await settled()
    for (const side of ['start', 'end'] as const) {
      while (side === 'start' ? !stretch.isAtStart : !stretch.isAtEnd) {
        const { from, next } = stretch
        stretch.grow(side)
        await settled()
        isTrue(stretch, log)
        expect(stretch.entries.length).toBeLessThanOrEqual(3000)
        expect(stretch.from !== from || stretch.next !== next).toBe(true)
      }
    }
  })

  test('goes on where an answer was short', async () => {
    const log = many(300, 'x'.repeat(65_536))
    const { stretch } = stretchOf(log)
    stretch.open('end')
    await settled()
    for (let turn = 0; turn < 100 && !stretch.isAtStart; turn += 1) {
      stretch.grow('start')
      await settled()
      isTrue(stretch, log)
      expect(stretch.entries.length * 65_536).toBeLessThanOrEqual(9 << 20)
    }
    expect(stretch.isAtStart).toBe(true)
  })

  test('asks once at a time', async () => {
    const log = many(10_000)
    const { stretch } = stretchOf(log)
    stretch.open(5000)
    await settled()
    log.asked = []
    stretch.grow('end')
    stretch.grow('end')
    stretch.follow()
    await settled()
    expect(log.asked).toHaveLength(1)
  })

  test('shows hidden lines as gaps, and asks for more at once where all are hidden', async () => {
    const log = many(20_000)
    log.records.forEach(({ recno }) => recno > 100 && log.hidden.add(recno))
    const { stretch } = stretchOf(log)
    stretch.open('end')
    await settled()
    for (let turn = 0; turn < 100 && !stretch.isAtStart; turn += 1) {
      stretch.grow('start')
      await settled()
    }
    isTrue(stretch, log)
    expect(log.asked.length).toBeLessThan(30)
  })

  test('that fails keeps what is there', async () => {
    const log = many(10_000)
    const { stretch } = stretchOf(log)
    stretch.open(5000)
    await settled()
    const { from, next } = stretch
    log.problem = new Error('away')
    stretch.grow('end')
    await settled()
    expect(stretch.problems.end).toBe('away')
    expect([stretch.from, stretch.next]).toEqual([from, next])
    log.asked = []
    stretch.grow('end')
    expect(log.asked).toHaveLength(0)
    log.problem = null
    stretch.retry()
    stretch.grow('end')
    await settled()
    expect(stretch.next).toBeGreaterThan(next)
    isTrue(stretch, log)
  })
})

describe('following', () => {
  test('takes what was written, and no line twice', async () => {
    const log = many(50)
    const { stretch } = stretchOf(log)
    stretch.open('end')
    await settled()
    for (let turn = 0; turn < 20; turn += 1) {
      log.write('more', 'and more')
      stretch.grown(log.records.length)
      stretch.follow()
      await settled()
      expect(stretch.isAtEnd).toBe(true)
      isTrue(stretch, log)
    }
    expect(stretch.from).toBe(1)
  })

  test('that is over moves nothing away from who reads', async () => {
    const log = many(50)
    const { stretch } = stretchOf(log)
    stretch.open('end')
    await settled()
    log.write(...many(50_000).records.map(() => 'fast'))
    stretch.grown(log.records.length)
    stretch.follow()
    stretch.stay()
    await settled()
    expect([stretch.from, stretch.next]).toEqual([1, 51])
    stretch.grow('end')
    await settled()
    expect(stretch.from).toBe(1)
    isTrue(stretch, log)
  })

  test('leaves out what was written too fast to be seen', async () => {
    const log = many(50)
    const { stretch } = stretchOf(log)
    stretch.open('end')
    await settled()
    log.asked = []
    log.write(...many(50_000).records.map(() => 'fast'))
    stretch.grown(log.records.length)
    stretch.follow()
    await settled()
    expect(log.asked).toHaveLength(1)
    expect(stretch.isAtEnd).toBe(true)
    expect(stretch.entries.length).toBeLessThan(1001)
    isTrue(stretch, log)
  })
})

describe('what could not be loaded', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  test('is loaded later, by itself: where it was to be opened', async () => {
    const log = many(100)
    log.problem = new Error('away')
    const { stretch, opened } = stretchOf(log)
    stretch.open(50)
    await vi.advanceTimersByTimeAsync(10_000)
    expect([stretch.problems.open, log.asked.length < 6]).toEqual(['away', true])
    expect(stretch.retryAt).toBeGreaterThan(Date.now())
    log.problem = null
    await vi.advanceTimersByTimeAsync(30_000)
    expect([stretch.problems.open, stretch.retryAt, opened]).toEqual([null, null, [50]])
  })

  test('is loaded later, by itself, and sooner when the log grows: at its end', async () => {
    const log = many(50)
    // As the pane does it: whatever changes, it asks for the end.
    const stretch = new Stretch(
      log.read,
      () => stretch.follow(),
      () => undefined,
    )
    stretch.open('end')
    await settled()
    log.problem = new Error('away')
    for (let turn = 0; turn < 20; turn += 1) {
      log.write('more')
      stretch.grown(log.records.length)
      await vi.advanceTimersByTimeAsync(1000)
    }
    expect(stretch.problems.end).toBe('away')
    expect(log.asked.length).toBeGreaterThan(15)
    expect(log.asked.length).toBeLessThan(25)
    log.problem = null
    log.write('more')
    stretch.grown(log.records.length)
    await vi.advanceTimersByTimeAsync(1000)
    expect([stretch.problems.end, stretch.retryAt, stretch.isAtEnd]).toEqual([null, null, true])
    isTrue(stretch, log)
  })

  test('is not asked for any more when nobody looks', async () => {
    const log = many(50)
    log.problem = new Error('away')
    const { stretch } = stretchOf(log)
    stretch.open('end')
    await settled()
    stretch.close()
    expect(vi.getTimerCount()).toBe(0)
  })
})

test('whatever is done, it is one stretch of the log', { timeout: 60_000 }, async () => {
  const step = fc.oneof(fc.constantFrom('start', 'end', 'follow', 'write', 'last'), fc.integer({ min: 1, max: 3000 }))
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(step, fc.nat(60)), { maxLength: 30 }),
      fc.integer({ min: 100, max: 100_000 }),
      async (steps, limit) => {
        const log = many(2000)
        log.limit = limit
        for (let recno = 7; recno < 2000; recno += 13) {
          log.hidden.add(recno)
        }
        const { stretch } = stretchOf(log)
        for (const [one, pause] of steps) {
          if (one === 'start' || one === 'end') {
            stretch.grow(one)
          } else if (one === 'follow') {
            stretch.follow()
          } else if (one === 'write') {
            log.write('more')
            stretch.grown(log.records.length)
          } else {
            stretch.open(one === 'last' ? 'end' : one)
          }
          for (let turn = 0; turn < pause; turn += 1) {
            await Promise.resolve()
          }
          isTrue(stretch, log)
        }
        await settled()
        isTrue(stretch, log)
      },
    ),
    { numRuns: 60 },
  )
})
