import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'

import type { LogRecord, LogWindow } from '@/api/types.ts'

import { LogBuffer, type ReadWindow, type Target } from './logBuffer.ts'

/** A log of the API. */
class FakeLog {
  records: LogRecord[] = []
  /** A window ends after so many characters. */
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

const bufferOf = (log: FakeLog): { buffer: LogBuffer; opened: Target[] } => {
  const opened: Target[] = []
  const buffer = new LogBuffer(log.read, vi.fn(), (target) => opened.push(target))
  return { buffer, opened }
}

/** The buffer contains the log between its ends. */
const isTrue = (buffer: LogBuffer, log: FakeLog): void => {
  const covered = buffer.entries.flatMap((entry) =>
    entry.type === 'hidden' ? Array.from({ length: entry.count }, (_, at) => entry.recno + at) : [entry.recno],
  )
  expect(covered).toEqual(Array.from({ length: buffer.next - buffer.from }, (_, at) => buffer.from + at))
  for (const entry of buffer.entries) {
    if (entry.type !== 'hidden') {
      expect(entry).toBe(log.records[entry.recno - 1])
    }
  }
}

describe('opening', () => {
  test('at the end takes the last records with one request', async () => {
    const log = many(100_000)
    const { buffer, opened } = bufferOf(log)
    buffer.open('end')
    await settled()
    expect(opened).toEqual(['end'])
    expect(log.asked).toHaveLength(1)
    expect(buffer.total).toBe(100_000)
    expect(buffer.isAtEnd).toBe(true)
    expect(buffer.entries.length).toBeGreaterThan(100)
    isTrue(buffer, log)
  })

  test('at a record takes what is around it', async () => {
    const log = many(100_000)
    const { buffer } = bufferOf(log)
    buffer.open(5000)
    await settled()
    expect(buffer.holds(5000)).toBe(true)
    expect(buffer.holds(4950)).toBe(true)
    expect(buffer.holds(5050)).toBe(true)
    isTrue(buffer, log)
  })

  test('an empty log is at both its ends', async () => {
    const { buffer } = bufferOf(new FakeLog())
    buffer.open('end')
    await settled()
    expect([buffer.total, buffer.isAtStart, buffer.isAtEnd, buffer.entries.length]).toEqual([0, true, true, 0])
  })

  test('behind the end is at the end', async () => {
    const log = many(10)
    const { buffer, opened } = bufferOf(log)
    buffer.open(5000)
    await settled()
    expect(opened).toEqual([5000])
    expect(buffer.isAtEnd).toBe(true)
    isTrue(buffer, log)
  })

  test('finds the place also where few records fill an answer', async () => {
    const log = many(2000, 'x'.repeat(65_536))
    for (const target of [1500, 'end'] as const) {
      const { buffer } = bufferOf(log)
      log.asked = []
      buffer.open(target)
      await settled()
      expect(buffer.holds(target === 'end' ? 2000 : target)).toBe(true)
      expect(log.asked.length).toBeLessThanOrEqual(3)
      isTrue(buffer, log)
    }
  })

  test('of many wishes that come together only the first and the last are asked for', async () => {
    const log = many(100_000)
    const { buffer, opened } = bufferOf(log)
    for (let target = 10_000; target <= 90_000; target += 10_000) {
      buffer.open(target)
    }
    await settled()
    expect(opened).toEqual([10_000, 90_000])
  })

  test('that fails says why, and is tried again', async () => {
    const log = many(100)
    log.problem = new Error('no such luck')
    const { buffer, opened } = bufferOf(log)
    buffer.open(50)
    await settled()
    expect(buffer.problems.open).toBe('no such luck')
    log.problem = null
    buffer.retry()
    await settled()
    expect(buffer.problems.open).toBeNull()
    expect(opened).toEqual([50])
  })
})

describe('growing', () => {
  test('goes to both ends of the log, without a hole and without too much', async () => {
    const log = many(12_000)
    const { buffer } = bufferOf(log)
    buffer.open(6000)
    await settled()
    for (const side of ['start', 'end'] as const) {
      while (side === 'start' ? !buffer.isAtStart : !buffer.isAtEnd) {
        const { from, next } = buffer
        buffer.grow(side)
        await settled()
        isTrue(buffer, log)
        expect(buffer.entries.length).toBeLessThanOrEqual(3000)
        expect(buffer.from !== from || buffer.next !== next).toBe(true)
      }
    }
  })

  test('goes on where an answer was short', async () => {
    const log = many(300, 'x'.repeat(65_536))
    const { buffer } = bufferOf(log)
    buffer.open('end')
    await settled()
    for (let turn = 0; turn < 100 && !buffer.isAtStart; turn += 1) {
      buffer.grow('start')
      await settled()
      isTrue(buffer, log)
      expect(buffer.entries.length * 65_536).toBeLessThanOrEqual(9 << 20)
    }
    expect(buffer.isAtStart).toBe(true)
  })

  test('asks once at a time', async () => {
    const log = many(10_000)
    const { buffer } = bufferOf(log)
    buffer.open(5000)
    await settled()
    log.asked = []
    buffer.grow('end')
    buffer.grow('end')
    buffer.follow()
    await settled()
    expect(log.asked).toHaveLength(1)
  })

  test('shows hidden lines as gaps, and asks for more at once where all are hidden', async () => {
    const log = many(20_000)
    log.records.forEach(({ recno }) => recno > 100 && log.hidden.add(recno))
    const { buffer } = bufferOf(log)
    buffer.open('end')
    await settled()
    for (let turn = 0; turn < 100 && !buffer.isAtStart; turn += 1) {
      buffer.grow('start')
      await settled()
    }
    isTrue(buffer, log)
    expect(log.asked.length).toBeLessThan(30)
  })

  test('that fails keeps what is there', async () => {
    const log = many(10_000)
    const { buffer } = bufferOf(log)
    buffer.open(5000)
    await settled()
    const { from, next } = buffer
    log.problem = new Error('away')
    buffer.grow('end')
    await settled()
    expect(buffer.problems.end).toBe('away')
    expect([buffer.from, buffer.next]).toEqual([from, next])
    log.asked = []
    buffer.grow('end')
    expect(log.asked).toHaveLength(0)
    log.problem = null
    buffer.retry()
    buffer.grow('end')
    await settled()
    expect(buffer.next).toBeGreaterThan(next)
    isTrue(buffer, log)
  })
})

describe('following', () => {
  test('takes what was written, and no line twice', async () => {
    const log = many(50)
    const { buffer } = bufferOf(log)
    buffer.open('end')
    await settled()
    for (let turn = 0; turn < 20; turn += 1) {
      log.write('more', 'and more')
      buffer.grown(log.records.length)
      buffer.follow()
      await settled()
      expect(buffer.isAtEnd).toBe(true)
      isTrue(buffer, log)
    }
    expect(buffer.from).toBe(1)
  })

  test('that is over moves nothing away from who reads', async () => {
    const log = many(50)
    const { buffer } = bufferOf(log)
    buffer.open('end')
    await settled()
    log.write(...many(50_000).records.map(() => 'fast'))
    buffer.grown(log.records.length)
    buffer.follow()
    buffer.stay()
    await settled()
    expect([buffer.from, buffer.next]).toEqual([1, 51])
    buffer.grow('end')
    await settled()
    expect(buffer.from).toBe(1)
    isTrue(buffer, log)
  })

  test('leaves out what was written too fast to be seen', async () => {
    const log = many(50)
    const { buffer } = bufferOf(log)
    buffer.open('end')
    await settled()
    log.asked = []
    log.write(...many(50_000).records.map(() => 'fast'))
    buffer.grown(log.records.length)
    buffer.follow()
    await settled()
    expect(log.asked).toHaveLength(1)
    expect(buffer.isAtEnd).toBe(true)
    expect(buffer.entries.length).toBeLessThan(1001)
    isTrue(buffer, log)
  })
})

describe('what could not be loaded', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  test('is loaded later, by itself: where it was to be opened', async () => {
    const log = many(100)
    log.problem = new Error('away')
    const { buffer, opened } = bufferOf(log)
    buffer.open(50)
    await vi.advanceTimersByTimeAsync(10_000)
    expect([buffer.problems.open, log.asked.length < 6]).toEqual(['away', true])
    expect(buffer.retryAt).toBeGreaterThan(Date.now())
    log.problem = null
    await vi.advanceTimersByTimeAsync(30_000)
    expect([buffer.problems.open, buffer.retryAt, opened]).toEqual([null, null, [50]])
  })

  test('is loaded later, by itself, and sooner when the log grows: at its end', async () => {
    const log = many(50)
    // The pane asks for the end after every change.
    const buffer = new LogBuffer(
      log.read,
      () => buffer.follow(),
      () => undefined,
    )
    buffer.open('end')
    await settled()
    log.problem = new Error('away')
    for (let turn = 0; turn < 20; turn += 1) {
      log.write('more')
      buffer.grown(log.records.length)
      await vi.advanceTimersByTimeAsync(1000)
    }
    expect(buffer.problems.end).toBe('away')
    expect(log.asked.length).toBeGreaterThan(15)
    expect(log.asked.length).toBeLessThan(25)
    log.problem = null
    log.write('more')
    buffer.grown(log.records.length)
    await vi.advanceTimersByTimeAsync(1000)
    expect([buffer.problems.end, buffer.retryAt, buffer.isAtEnd]).toEqual([null, null, true])
    isTrue(buffer, log)
  })

  test('is not asked for any more when nobody looks', async () => {
    const log = many(50)
    log.problem = new Error('away')
    const { buffer } = bufferOf(log)
    buffer.open('end')
    await settled()
    buffer.close()
    expect(vi.getTimerCount()).toBe(0)
  })
})

test('whatever is done, it is one buffer of the log', { timeout: 60_000 }, async () => {
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
        const { buffer } = bufferOf(log)
        for (const [one, pause] of steps) {
          if (one === 'start' || one === 'end') {
            buffer.grow(one)
          } else if (one === 'follow') {
            buffer.follow()
          } else if (one === 'write') {
            log.write('more')
            buffer.grown(log.records.length)
          } else {
            buffer.open(one === 'last' ? 'end' : one)
          }
          for (let turn = 0; turn < pause; turn += 1) {
            await Promise.resolve()
          }
          isTrue(buffer, log)
        }
        await settled()
        isTrue(buffer, log)
      },
    ),
    { numRuns: 60 },
  )
})
