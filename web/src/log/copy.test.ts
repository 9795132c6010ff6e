import { expect, test } from 'vitest'

import type { LogRecord } from '@/api/types.ts'

import { plainLines } from './copy.ts'
import type { ReadWindow } from './logBuffer.ts'

const records: LogRecord[] = [
  { recno: 1, type: 'line', line: '\x1b[31mred\x1b[0m' },
  { recno: 2, type: 'status', status: 'Preparing' },
  { recno: 3, type: 'line', line: 'asked: ', partial: true },
  { recno: 4, type: 'response', user: 'alice', response: 'y' },
  { recno: 5, type: 'line', line: 'x'.repeat(65_536), continued: true },
  { recno: 6, type: 'line', line: 'end', continues: true },
  { recno: 8, type: 'line', line: 'last' },
]

/** Answers with two records each. */
const read: ReadWindow = (from, count) => {
  const next = Math.min(from + Math.min(count, 2), 9)
  const window = records.filter(({ recno }) => recno >= from && recno < next)
  return Promise.resolve({ records: window, total: 8, from, next, hidden: 0 })
}
const signal = new AbortController().signal

test('lines are copied as text, without colours and whole', async () => {
  expect(await plainLines(read, { from: 1, to: 8 }, signal)).toBe(
    `red\nasked: \n[alice answered: y]\n${'x'.repeat(65_536)}end\n[1 sensitive line is hidden]\nlast`,
  )
  expect(await plainLines(read, { from: 3, to: 4 }, signal)).toBe('asked: \n[alice answered: y]')
})

test('what is behind the end is not waited for', async () => {
  expect(await plainLines(read, { from: 8, to: 100 }, signal)).toBe('last')
})

test('too much is refused', async () => {
  const endless: ReadWindow = (from) =>
    Promise.resolve({
      records: [{ recno: from, type: 'line', line: 'x'.repeat(1 << 20) }],
      total: 1e9,
      from,
      next: from + 1,
      hidden: 0,
    })
  await expect(plainLines(endless, { from: 1, to: 1e9 }, signal)).rejects.toThrow('download the log')
})
