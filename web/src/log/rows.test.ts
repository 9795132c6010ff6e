import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import type { LineFlags } from '@/api/types.ts'

import { rowAt, rowsOf, type Entry } from './rows.ts'

const line = (recno: number, text: string, flags: LineFlags = {}): Entry => ({
  recno,
  time: '2026-11-23T15:38:46.123Z',
  type: 'line',
  line: text,
  ...flags,
})
const shown = (entries: Entry[]): [number, string][] => rowsOf(entries).map(({ recno, text }) => [recno, text])

describe('rows', () => {
  test('each line is one, with the number of its record', () => {
    expect(shown([line(3, 'a'), line(4, 'b')])).toEqual([
      [3, 'a'],
      [4, 'b'],
    ])
  })

  test('pieces of a line are one', () => {
    const pieces = [
      line(1, 'no newline', { partial: true }),
      line(2, ' and', { continues: true, partial: true }),
      line(3, ' end', { continues: true }),
      line(4, 'next'),
    ]
    expect(shown(pieces)).toEqual([
      [1, 'no newline and end'],
      [4, 'next'],
    ])
  })

  test('an answer may stand between the pieces', () => {
    const pieces: Entry[] = [
      line(1, 'Go on? ', { partial: true }),
      { recno: 2, type: 'response', user: 'alice', response: 'y' },
      line(3, 'yes', { continues: true }),
    ]
    expect(shown(pieces)).toEqual([
      [1, 'Go on? yes'],
      [2, 'alice answered: y'],
    ])
  })

  test('a progress bar is one, in its last state', () => {
    const pieces = [
      line(1, '10%', { partial: true }),
      line(2, '50%', { partial: true, rewrites: true }),
      line(3, '100%', { continues: true, rewrites: true }),
      line(4, 'done'),
    ]
    expect(shown(pieces)).toEqual([
      [1, '100%'],
      [4, 'done'],
    ])
    expect(shown(pieces.slice(2))).toEqual([
      [3, '100%'],
      [4, 'done'],
    ])
    expect(rowsOf(pieces.slice(1)).every(({ isContinuation }) => !isContinuation)).toBe(true)
  })

  test('a piece that none follows was the end of its line', () => {
    expect(shown([line(1, 'a', { partial: true }), line(2, 'b')])).toHaveLength(2)
    expect(shown([line(1, 'a', { continued: true }), line(2, 'b')])).toHaveLength(2)
  })

  test('a very long line goes on in further ones', () => {
    const piece = 'x'.repeat(65_536)
    const pieces = [
      line(1, piece, { continued: true }),
      line(2, piece, { continued: true, continues: true }),
      line(3, 'end', { continues: true }),
    ]
    const rows = rowsOf(pieces)
    expect(rows.map(({ recno, isContinuation }) => [recno, isContinuation])).toEqual([
      [1, false],
      [2, true],
      [3, true],
    ])
    expect(rows.map(({ text }) => text).join('')).toBe(`${piece}${piece}end`)
    const rewritten = [...pieces.slice(0, 2), line(3, 'new', { continues: true, rewrites: true })]
    expect(shown(rewritten)).toEqual([[1, 'new']])
  })

  test('a line whose beginning is not there says so', () => {
    expect(rowsOf([line(7, 'b', { continues: true })])[0]?.isContinuation).toBe(true)
  })

  test('runs of hidden lines are one', () => {
    const entries: Entry[] = [
      line(1, 'a'),
      { type: 'hidden', recno: 2, count: 2 },
      { type: 'hidden', recno: 4, count: 3 },
      line(7, 'b'),
    ]
    expect(rowsOf(entries).map(({ kind, recno, text }) => [kind, recno, text])).toEqual([
      ['output', 1, 'a'],
      ['hidden', 2, '5'],
      ['output', 7, 'b'],
    ])
  })

  test('one piece that is sensitive makes its line so', () => {
    const pieces = [line(1, 'key ', { partial: true }), line(2, 'abc', { continues: true, sensitive: true })]
    expect(rowsOf(pieces)[0]?.isSensitive).toBe(true)
  })

  test.each<[Entry, string, string]>([
    [{ recno: 1, type: 'signal', user: 'alice', signal: 'interrupt' }, 'signal', 'alice interrupted'],
    [{ recno: 1, type: 'signal', user: 'alice', signal: 'kill' }, 'signal', 'alice killed'],
    [{ recno: 1, type: 'note', note: 'a remark' }, 'note', 'a remark'],
    [{ recno: 1, type: 'exit', status: 3, signal: null }, 'exit', 'exit status 3'],
    [{ recno: 1, type: 'exit', status: null, signal: 9 }, 'exit', 'ended by signal 9'],
    [{ recno: 1, type: 'exit', status: null, signal: null }, 'exit', 'could not be started'],
    [{ recno: 1, type: 'damaged' }, 'damaged', 'unreadable log line'],
  ])('%j', (entry, kind, text) => {
    expect(rowsOf([entry])).toMatchObject([{ kind, text }])
  })

  test('stay the same objects when more comes', () => {
    const entries = [line(1, 'a'), line(2, 'b')]
    const before = rowsOf(entries)
    const after = rowsOf([...entries, line(3, 'c')])
    expect(after[0]).toBe(before[0])
    expect(after[1]).toBe(before[1])
  })

  test('whatever the flags, no text of a line without rewrites is lost, and numbers only rise', () => {
    const flags = fc.record({ continues: fc.boolean(), partial: fc.boolean(), continued: fc.boolean() })
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.string(), flags)), (pieces) => {
        const entries = pieces.map(([text, flag], at) => line(at + 1, text, flag))
        const rows = rowsOf(entries)
        expect(rows.map(({ text }) => text).join('')).toBe(pieces.map(([text]) => text).join(''))
        const numbers = rows.map(({ recno }) => recno)
        expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b))
      }),
    )
  })
})

test('the row of a record is the one with it, or the last before it', () => {
  const rows = rowsOf([line(2, 'a'), line(5, 'b'), line(9, 'c')])
  expect([1, 2, 4, 5, 8, 9, 100].map((recno) => rowAt(rows, recno))).toEqual([-1, 0, 0, 1, 1, 2, 2])
  expect(rowAt([], 1)).toBe(-1)
})
