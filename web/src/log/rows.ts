import type { LogRecord } from '@/api/types.ts'

/** Hidden sensitive lines: `count` records from this one on. */
export interface Hidden {
  type: 'hidden'
  recno: number
  count: number
}

/** What can become a row: a record, or hidden records. */
export type Entry = LogRecord | Hidden

/** The most characters of a row: the length of the pieces of long lines in the log. */
const LONGEST = 65_536

export type RowKind = 'output' | 'answer' | 'signal' | 'note' | 'exit' | 'damaged' | 'hidden'

/** A row: a line of output, or something between two lines. */
export interface Row {
  kind: RowKind
  /** The number of its first record, unique among the rows. */
  recno: number
  time: string | null
  /** Output with its terminal sequences and perhaps line feeds, or a text of this page. */
  text: string
  isSensitive: boolean
  /** Its beginning is in the row before, or is not loaded. */
  isContinuation: boolean
}

/** Whether a record has a row. Prompts have none: the output contains them, as a terminal shows them. */
export function hasRow(record: LogRecord): boolean {
  return record.type !== 'status' && record.type !== 'progress' && record.type !== 'interaction'
}

/** The rows of single entries, so that unchanged rows stay the same objects and are not rendered again. */
const single = new WeakMap<Entry, Row>()

/** The rows of entries, in their order. Pieces of a line are joined, as far as they are loaded. */
export function rowsOf(entries: readonly Entry[]): Row[] {
  const rows: Row[] = []
  /** The rows of the line that may continue. */
  let line: Row[] = []
  const gone = new Set<Row>()
  for (const entry of entries) {
    if (entry.type !== 'line') {
      const last = rows.at(-1)
      if (entry.type === 'hidden' && last?.kind === 'hidden') {
        rows[rows.length - 1] = hiddenRow(last.recno, Number(last.text) + entry.count)
      } else {
        rows.push(rowOf(entry))
      }
      continue
    }
    const { continues = false, rewrites = false, sensitive = false } = entry
    const [first] = line
    const last = line.at(-1)
    if ((!continues && !rewrites) || first === undefined || last === undefined) {
      line = [rowOf(entry)]
      rows.push(...line)
    } else if (rewrites) {
      line.slice(1).forEach((row) => gone.add(row))
      line = [replace(rows, first, { ...first, text: entry.line, isSensitive: first.isSensitive || sensitive })]
    } else if (last.text.length + entry.line.length <= LONGEST) {
      const text = last.text + entry.line
      line[line.length - 1] = replace(rows, last, { ...last, text, isSensitive: last.isSensitive || sensitive })
    } else {
      const row = rowOf(entry)
      line.push(row)
      rows.push(row)
    }
    if (!entry.continued && !entry.partial) {
      line = []
    }
  }
  return gone.size === 0 ? rows : rows.filter((row) => !gone.has(row))
}

/** Replaces a row. It is near the end, as only answers and notes come between the pieces of a line. */
function replace(rows: Row[], before: Row, after: Row): Row {
  rows[rows.lastIndexOf(before)] = after
  return after
}

function rowOf(entry: Entry): Row {
  const known = single.get(entry)
  if (known) {
    return known
  }
  const row = newRow(entry)
  single.set(entry, row)
  return row
}

function newRow(entry: Entry): Row {
  if (entry.type === 'hidden') {
    return hiddenRow(entry.recno, entry.count)
  }
  const row = { recno: entry.recno, time: entry.time ?? null, isSensitive: false, isContinuation: false }
  switch (entry.type) {
    case 'line':
      return {
        ...row,
        kind: 'output',
        text: entry.line,
        isSensitive: entry.sensitive ?? false,
        isContinuation: (entry.continues ?? false) && !entry.rewrites,
      }
    case 'response':
      return { ...row, kind: 'answer', text: `${entry.user} answered: ${entry.response}` }
    case 'signal':
      return { ...row, kind: 'signal', text: `${entry.user} ${DONE[entry.signal] ?? `sent: ${entry.signal}`}` }
    case 'note':
      return { ...row, kind: 'note', text: entry.note }
    case 'exit':
      return { ...row, kind: 'exit', text: ended(entry.status, entry.signal) }
    default:
      return { ...row, kind: 'damaged', text: 'unreadable log line' }
  }
}

const DONE: Readonly<Record<string, string>> = { interrupt: 'interrupted', kill: 'killed' }

function ended(status: number | null, signal: number | null): string {
  if (status !== null) {
    return `exit status ${status}`
  }
  return signal !== null ? `ended by signal ${signal}` : 'could not be started'
}

/** The text is their number. */
function hiddenRow(recno: number, count: number): Row {
  return { kind: 'hidden', recno, time: null, text: String(count), isSensitive: false, isContinuation: false }
}

/** The index of a record's row: the last row that does not start after it. -1 if all do. */
export function rowAt(rows: readonly Row[], recno: number): number {
  let [low, high] = [0, rows.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((rows[middle]?.recno ?? Infinity) <= recno) {
      low = middle + 1
    } else {
      high = middle
    }
  }
  return low - 1
}
