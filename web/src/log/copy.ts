import { plainText } from '@/text/terminal.ts'

import { entriesOf, type ReadWindow } from './logBuffer.ts'
import type { Range } from './range.ts'
import { rowsOf, type Row } from './rows.ts'

/** How many records one request is for: the most that one answer contains. */
const PORTION = 2000

/** The most characters that are copied. */
const MOST = 16 << 20

/**
 * The plain text of lines, without colours. Records that are not output are in brackets.
 *
 * @throws Error if the lines are too long, and any error of reading.
 */
export async function plainLines(read: ReadWindow, { from, to }: Range, signal: AbortSignal): Promise<string> {
  const entries = []
  let characters = 0
  for (let at = from; at <= to;) {
    const window = await read(at, Math.min(PORTION, to - at + 1), signal)
    for (const entry of entriesOf(window)) {
      entries.push(entry)
      characters += entry.type === 'line' ? entry.line.length : 0
    }
    if (characters > MOST) {
      throw new Error('The selection is too large to copy: download the log instead')
    }
    if (window.next <= at) {
      break
    }
    at = window.next
  }
  // The parts of a very long line are joined.
  return rowsOf(entries).reduce(
    (text, row, at) => text + (at > 0 && !row.isContinuation ? '\n' : '') + wordsOf(row),
    '',
  )
}

/** A row as text. */
function wordsOf({ kind, text }: Row): string {
  switch (kind) {
    case 'output':
      return plainText(text)
    case 'hidden':
      return `[${text} sensitive ${text === '1' ? 'line is' : 'lines are'} hidden]`
    default:
      return `[${text}]`
  }
}
