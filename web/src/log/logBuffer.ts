import { isAbort, reasonOf } from '@/api/client.ts'
import { Retry } from '@/api/retry.ts'
import type { LogRecord, LogWindow } from '@/api/types.ts'

import { hasRow, type Entry } from './rows.ts'

/** Requests a window of the log: `from` is the number of a record, or negative to count from the end. */
export type ReadWindow = (from: number, count: number, signal: AbortSignal) => Promise<LogWindow>

/** A position in the log: a record, or the end. */
export type Target = number | 'end'

export type Side = 'start' | 'end'

/** The loaded part, and problems of loading. */
export interface Loaded {
  /** In their order. Only records without a row are left out between them. */
  readonly entries: readonly Entry[]
  /** The first record. */
  readonly from: number
  /** The first record after it. */
  readonly next: number
  /** How many records the log has. Null until it is known. */
  readonly total: number | null
  /** Why loading failed at an end, or at a new target. */
  readonly problems: Readonly<Record<Side | 'open', string | null>>
  /** When that is tried again by itself, in milliseconds since the epoch. Null if it is not. */
  readonly retryAt: number | null
}

/** The most that is kept. More entries or characters are dropped at the far end. */
const MOST_ENTRIES = 3000
const MOST_CHARACTERS = 8 << 20

/** About how many characters one request is for. */
const PORTION = 48 << 10
const FEWEST = 8
const MOST = 1000

/** The size of a record apart from its text, in characters. */
const OVERHEAD = 75

/** A request younger than this is not aborted for a newer target, in milliseconds. */
const PATIENCE = 150

/**
 * The loaded part of a log: contiguous records around the viewport.
 *
 * It grows at both ends, with one request at a time for each, and starts anew when somebody jumps far away. So memory is
 * bounded whatever the length of the log, and records that nobody looks at are not requested. A failed request is
 * repeated: see `Retry`.
 */
export class LogBuffer implements Loaded {
  entries: readonly Entry[] = []
  from = 1
  next = 1
  total: number | null = null
  problems: Loaded['problems'] = NONE

  readonly #read: ReadWindow
  readonly #changed: () => void
  readonly #opened: (target: Target) => void
  #growing: Partial<Record<Side, AbortController>> = {}
  #opening: { target: Target; since: number; controller: AbortController } | null = null
  /** The next target, after the current one is loaded. */
  #pending: Target | null = null
  /** What is not retried before its time. */
  #isResting: Readonly<Record<Side | 'open', boolean>> = NOTHING
  /** The target that could not be loaded. */
  #failed: Target | null = null
  readonly #retry = new Retry(() => this.retry())
  /** The average characters of a record in the last window. */
  #average = 150

  /** `opened` is called when the records around a target are loaded, and `changed` after every change. */
  constructor(read: ReadWindow, changed: () => void, opened: (target: Target) => void) {
    this.#read = read
    this.#changed = changed
    this.#opened = opened
  }

  /** When the request is repeated automatically. Null if it is not. */
  get retryAt(): number | null {
    return this.#retry.at.value
  }

  /** Whether the first record of the log is loaded. */
  get isAtStart(): boolean {
    return this.from === 1
  }

  /** Whether the last known record of the log is loaded. */
  get isAtEnd(): boolean {
    return this.total !== null && this.next > this.total
  }

  holds(recno: number): boolean {
    return this.from <= recno && recno < this.next
  }

  /** Loads the log around a target. Of several targets that arrive meanwhile, the last is loaded next. */
  open(target: Target): void {
    if (this.#opening !== null && Date.now() - this.#opening.since < PATIENCE) {
      this.#pending = target
      return
    }
    this.#cancel()
    if (target !== this.#failed) {
      this.#retry.stop()
    }
    const controller = new AbortController()
    const opening = { target, since: Date.now(), controller }
    this.#opening = opening
    // The reason of an earlier failure stays until it succeeds.
    this.problems = { ...NONE, open: target === this.#failed ? this.problems.open : null }
    this.#isResting = NOTHING
    void this.#around(target, controller.signal)
      .then(
        (window) => {
          if (this.#opening === opening) {
            this.#replace(window)
            this.#opening = null
            this.#failed = null
            this.#succeeded('open')
            this.#opened(target)
          }
        },
        (error: unknown) => {
          if (this.#opening === opening && !isAbort(error)) {
            this.#opening = null
            this.#failed = target
            this.#fail('open', error)
          }
        },
      )
      .finally(() => {
        if (this.#opening === null) {
          this.#changed()
          this.#openPending()
        }
      })
  }

  #openPending(): void {
    const pending = this.#pending
    this.#pending = null
    if (pending !== null) {
      this.open(pending)
    }
  }

  /** Loads more at one end, unless that is under way. */
  grow(side: Side): void {
    if (side === 'start' ? !this.isAtStart : !this.isAtEnd) {
      this.#ask(side, (signal) => (side === 'start' ? this.#before(signal) : this.#behind(this.next, signal)))
    }
  }

  /** Loads the end of a log that has grown. Records that are already out of view are skipped. */
  follow(): void {
    if (!this.isAtEnd) {
      this.#ask('end', (signal) => {
        const last = (this.total ?? 0) - this.#portion() + 1
        return this.#behind(Math.max(this.next, last), signal)
      })
    }
  }

  /** Stops following the end: its request may be too far away from the view. */
  stay(): void {
    this.#giveUp('end')
  }

  /** The log has this many records now. */
  grown(total: number): void {
    if (total > (this.total ?? -1)) {
      this.total = total
      this.#retry.retrySoon()
      this.#changed()
    }
  }

  /** Retries what has failed. Failures at an end are retried when more is needed there. */
  retry(): void {
    this.#isResting = NOTHING
    if (this.problems.open !== null && this.#failed !== null && this.#opening === null) {
      this.open(this.#failed)
    }
    this.#changed()
  }

  #fail(what: Side | 'open', error: unknown): void {
    this.problems = { ...this.problems, [what]: reasonOf(error) }
    this.#isResting = { ...this.#isResting, [what]: true }
    this.#retry.failed(error)
  }

  #succeeded(what: Side | 'open'): void {
    this.problems = { ...this.problems, [what]: null }
    if (Object.values(this.problems).every((problem) => problem === null)) {
      this.#retry.succeeded()
    }
  }

  /** Aborts all requests and retries. */
  close(): void {
    this.#cancel()
    this.#retry.stop()
  }

  #cancel(): void {
    this.#opening?.controller.abort()
    this.#opening = null
    this.#pending = null
    this.#giveUp('start')
    this.#giveUp('end')
  }

  #giveUp(side: Side): void {
    this.#growing[side]?.abort()
    this.#growing = { ...this.#growing, [side]: undefined }
  }

  #ask(side: Side, ask: (signal: AbortSignal) => Promise<void>): void {
    if (this.#growing[side] || this.#opening !== null || this.#isResting[side]) {
      return
    }
    const controller = new AbortController()
    this.#growing = { ...this.#growing, [side]: controller }
    void ask(controller.signal)
      .then(
        () => this.#succeeded(side),
        (error: unknown) => {
          if (!isAbort(error)) {
            this.#fail(side, error)
          }
        },
      )
      .finally(() => {
        if (this.#growing[side] === controller) {
          this.#growing = { ...this.#growing, [side]: undefined }
          this.#changed()
        }
      })
  }

  /** Requests a window with the target in it, if possible with records before it. */
  async #around(target: Target, signal: AbortSignal): Promise<LogWindow> {
    const portion = this.#portion()
    if (target !== 'end') {
      const window = await this.#get(Math.max(1, target - Math.floor(portion / 3)), portion, signal)
      if (target < window.next || target > window.total) {
        return target <= window.total ? window : this.#around('end', signal)
      }
      // The answer was full before it reached the target.
      return this.#get(target, portion, signal)
    }
    for (const count of [() => portion, () => this.#portion(), () => 1]) {
      const window = await this.#get(-count(), count(), signal)
      if (window.next > window.total) {
        return window
      }
    }
    return this.#get(-1, 1, signal)
  }

  /** Loads records before the buffer. An answer may be short, so it may take several. */
  async #before(signal: AbortSignal): Promise<void> {
    const { from: end } = this
    const start = Math.max(1, end - this.#portion())
    const entries: Entry[] = []
    for (let at = start; at < end;) {
      const window = await this.#get(at, end - at, signal)
      if (window.next <= at) {
        throw new Error('The log is shorter than before')
      }
      entries.push(...entriesOf(window))
      at = window.next
    }
    this.entries = [...entries, ...this.entries]
    this.from = start
    this.#trim('end')
  }

  /** Loads records after the buffer, or further on. */
  async #behind(from: number, signal: AbortSignal): Promise<void> {
    const window = await this.#get(from, this.#portion(), signal)
    if (window.from !== this.next) {
      this.#replace(window)
      return
    }
    this.entries = [...this.entries, ...entriesOf(window)]
    this.next = window.next
    this.#trim('start')
  }

  #replace(window: LogWindow): void {
    this.#giveUp('start')
    this.entries = entriesOf(window)
    this.from = Math.min(window.from, window.total + 1)
    this.next = Math.min(window.next, window.total + 1)
  }

  async #get(from: number, count: number, signal: AbortSignal): Promise<LogWindow> {
    const window = await this.#read(from, count, signal)
    signal.throwIfAborted()
    this.total = Math.max(this.total ?? 0, window.total)
    if (window.next > window.from) {
      const characters = window.records.reduce((all, record) => all + sizeOf(record), 0)
      this.#average = characters / (window.next - window.from)
    }
    return window
  }

  #portion(): number {
    return Math.min(MOST, Math.max(FEWEST, Math.round(PORTION / Math.max(1, this.#average))))
  }

  /** Drops what is too much at one end. */
  #trim(side: Side): void {
    const { entries } = this
    let [kept, characters] = [0, 0]
    const entry = (at: number): Entry | undefined => entries[side === 'start' ? entries.length - 1 - at : at]
    for (; kept < Math.min(entries.length, MOST_ENTRIES); kept += 1) {
      characters += sizeOf(entry(kept) ?? null)
      if (characters > MOST_CHARACTERS) {
        break
      }
    }
    if (kept === entries.length) {
      return
    }
    this.#giveUp(side)
    if (side === 'start') {
      this.entries = entries.slice(entries.length - kept)
      this.from = this.entries[0]?.recno ?? this.next
    } else {
      this.next = entries[kept]?.recno ?? this.next
      this.entries = entries.slice(0, kept)
    }
  }
}

const NONE = { start: null, end: null, open: null }
const NOTHING = { start: false, end: false, open: false }

function sizeOf(entry: Entry | null): number {
  return OVERHEAD + (entry?.type === 'line' ? entry.line.length : 0)
}

/** The entries of a window that can become rows. Gaps in the numbers are hidden sensitive lines. */
export function entriesOf({ records, from, next }: LogWindow): Entry[] {
  const entries: Entry[] = []
  let expected = from
  const until = (recno: number): void => {
    if (recno > expected) {
      entries.push({ type: 'hidden', recno: expected, count: recno - expected })
    }
  }
  for (const record of records as LogRecord[]) {
    until(record.recno)
    expected = record.recno + 1
    if (hasRow(record)) {
      entries.push(record)
    }
  }
  until(next)
  return entries
}
