import { plainText } from '@/text/terminal.ts'

import { above, atEnd, below, inView, moved, type Anchor } from './anchor.ts'
import { rowAt, type Row } from './rows.ts'
import { barOf, type Bar } from './scrollbar.ts'
import type { Target } from './logBuffer.ts'

/** What of a log is there to be seen. */
export interface Scene {
  /** Rows of the records, in their order. */
  rows: readonly Row[]
  /** The first record. */
  from: number
  /** The first behind them. */
  next: number
  /** How many records the log has. */
  total: number
  /** No more could be loaded at the end. */
  isBroken: boolean
}

/** What is in the list: rows, and at an end where more is to be loaded, what says so. */
export interface Item {
  /** The number of the row's record; 0 and Infinity at the ends. */
  key: number
  row: Row | null
}

/** Where a record that is gone to is put: at the upper edge of the view, or comfortably below. */
export type Where = 'upper edge' | 'within'

/** Whoever comes to the end of what is loaded, and the log has only so many records more, is at its end. */
const NEARLY = 200

/** No row shows more at first, in characters. */
const SHORT = 8000

/** What somebody sees of a log: the place of a view of some pixels in what is loaded. It knows nothing of a page. */
export class Viewport {
  /** The end is shown, also while the log grows. */
  isFollowing = true
  /** The height of the view, in pixels. */
  view = 0
  /** How often somebody wished to be elsewhere: what is under way for an old wish does not overrule a new one. */
  moves = 0

  #scene: Scene = { rows: [], from: 1, next: 1, total: 0, isBroken: false }
  #items: readonly Item[] | null = null
  #heights: readonly number[] | null = null
  /** So many pixels of the row of this record are above the upper edge. It means nothing while the end is followed. */
  #place = { recno: 1, offset: 0 }
  readonly #measured = new Map<number, number>()
  #guesses = new WeakMap<Row, number>()
  #line = 20
  #columns = Infinity

  get isAtStart(): boolean {
    return this.#scene.from <= 1
  }

  get isAtEnd(): boolean {
    return this.#scene.next > this.#scene.total
  }

  /** Takes what is loaded now. What is in view stays where it is. */
  load(scene: Scene): void {
    this.#scene = scene
    this.#forget()
    if (this.#measured.size > 2 * scene.rows.length + 100) {
      const keys = new Set(this.items.map(({ key }) => key))
      ;[...this.#measured.keys()].filter((key) => !keys.has(key)).forEach((key) => this.#measured.delete(key))
    }
  }

  /** All heights are others: a line has so many pixels, and so many columns before it is wrapped. */
  reset(line: number, columns: number): void {
    this.#line = line
    this.#columns = columns
    this.#measured.clear()
    this.#guesses = new WeakMap()
    this.#heights = null
  }

  /** An item has this height. Returns whether that is a surprise. */
  measure(item: Item, height: number): boolean {
    const isNew = this.#heightOf(item) !== height
    this.#measured.set(item.key, height)
    if (isNew) {
      this.#heights = null
    }
    return isNew
  }

  get items(): readonly Item[] {
    const { rows, isBroken } = this.#scene
    this.#items ??= [
      ...(this.isAtStart ? [] : [{ key: 0, row: null }]),
      ...rows.map((row) => ({ key: row.recno, row })),
      ...(this.isAtEnd || (this.isFollowing && !isBroken) ? [] : [{ key: Infinity, row: null }]),
    ]
    return this.#items
  }

  #forget(): void {
    this.#items = null
    this.#heights = null
  }

  get #all(): readonly number[] {
    this.#heights ??= this.items.map((item) => this.#heightOf(item))
    return this.#heights
  }

  #heightOf({ key, row }: Item): number {
    const known = this.#measured.get(key)
    if (known !== undefined || row === null) {
      return known ?? this.#line
    }
    let guess = this.#guesses.get(row)
    if (guess === undefined) {
      const text = row.text.slice(0, SHORT)
      guess = this.#line * this.#linesOf(text.includes('\x1b') ? plainText(text) : text)
      this.#guesses.set(row, guess)
    }
    return guess
  }

  #linesOf(text: string): number {
    const lines = text.split('\n')
    return lines.reduce((all, { length }) => all + Math.max(1, Math.ceil(length / this.#columns)), 0)
  }

  get #anchor(): Anchor {
    if (this.isFollowing) {
      return atEnd(this.#all, this.view)
    }
    const { recno, offset } = this.#place
    return moved(this.#all, { row: this.#indexOf(recno), offset }, 0, this.view)
  }

  #indexOf(key: number): number {
    if (key === Infinity) {
      return this.items.length - 1
    }
    return Math.max(0, rowAt(this.#scene.rows, key) + (this.isAtStart ? 0 : 1))
  }

  /** Which items to show, from the first up to before the last: those in view, and some pixels more on both sides. */
  inView(margin: number): { first: number; last: number } {
    return inView(this.#all, this.#anchor, this.view, margin)
  }

  /** Where an item begins, in pixels below the upper edge of the view. */
  topOf(key: number): number {
    return above(this.#all, { row: this.#indexOf(key), offset: 0 }) - this.above
  }

  /** How many pixels are loaded above the view. */
  get above(): number {
    return above(this.#all, this.#anchor)
  }

  /** How many pixels are loaded below the view. */
  get below(): number {
    return below(this.#all, this.#anchor, this.view)
  }

  /** Keeps the place, by a row that stays the same when more is loaded. */
  stay(anchor: Anchor = this.#anchor): void {
    let { row, offset } = anchor
    if (this.items[row]?.key === 0) {
      offset -= this.#all[row] ?? 0
      row += 1
    }
    this.#place = { recno: this.items[row]?.row?.recno ?? this.#place.recno, offset }
  }

  /** Goes so many pixels down, or up if negative, as far as there is something loaded. */
  moveBy(pixels: number): void {
    const fits = this.above === 0 && this.below === 0
    const there = moved(this.#all, this.#anchor, pixels, this.view)
    const { next, total } = this.#scene
    const isEnd = pixels > 0 && below(this.#all, there, this.view) < 1 && total - next < NEARLY
    this.stay(there)
    this.#follow(isEnd || (this.isFollowing && fits))
  }

  /** Goes to a record that is loaded, or to the end. */
  goTo(target: Target, where: Where): void {
    if (target !== 'end') {
      this.#place = { recno: target, offset: where === 'within' ? -Math.round(this.view / 3) : 0 }
    }
    this.#follow(target === 'end')
  }

  #follow(isFollowing: boolean): void {
    this.moves += 1
    this.isFollowing = isFollowing
    this.#forget()
  }

  /** Whether a record, or the end of the log, is loaded. */
  holds(target: Target): boolean {
    const { from, next } = this.#scene
    return target === 'end' ? this.isAtEnd : from <= target && target < next
  }

  /** The records whose rows are wholly in view. */
  recordsInView(): { first: number; last: number } {
    const { row: top, offset } = this.#anchor
    const isCut = offset > 0
    const first = isCut ? top + 1 : top
    let row = first
    let bottom = isCut ? (this.#all[top] ?? 0) - offset : 0
    for (; row < this.#all.length && bottom + (this.#all[row] ?? 0) <= this.view + 0.5; row += 1) {
      bottom += this.#all[row] ?? 0
    }
    const recno = (index: number, otherwise: number): number => this.items[index]?.row?.recno ?? otherwise
    return { first: recno(first, this.#scene.from), last: recno(row - 1, this.#scene.next) }
  }

  /** Whether the row of a record is wholly in view. */
  shows(recno: number): boolean {
    const { first, last } = this.recordsInView()
    const row = this.#scene.rows[rowAt(this.#scene.rows, recno)]?.recno ?? -1
    return first <= row && row <= last
  }

  /** What the scroll bar is to show. */
  bar(): Bar {
    const { above, below, view } = this
    const { from, next, total } = this.#scene
    // Whoever follows is at the end, though there may be more by now.
    const length = this.isFollowing ? next - 1 : total
    return barOf({ view, loaded: above + view + below, above, below, from, next, total: length })
  }
}
