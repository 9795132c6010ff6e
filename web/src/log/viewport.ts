import { plainText } from '@/text/terminal.ts'

import { above, atEnd, below, inView, moved, type Anchor } from './anchor.ts'
import { rowAt, type Row } from './rows.ts'
import { barOf, type Bar } from './scrollbar.ts'
import type { Target } from './logBuffer.ts'

/** The part of a log that can be shown. */
export interface Scene {
  /** Rows of the records, in their order. */
  rows: readonly Row[]
  /** The first record. */
  from: number
  /** The first record after the loaded ones. */
  next: number
  /** How many records the log has. */
  total: number
  /** Whether loading failed at the end. */
  isBroken: boolean
}

/** An item of the list: a row, or a placeholder where more is loaded. */
export interface Item {
  /** The number of the row's record; 0 and Infinity for the placeholders. */
  key: number
  row: Row | null
}

/** Where a jump target is placed: at the upper edge of the view, or well within. */
export type Where = 'upper edge' | 'within'

/** With at most so many records left to load, reaching the loaded end counts as the end of the log. */
const NEARLY = 200

/** How many characters a row shows at first. */
const SHORT = 8000

/**
 * The visible part of a log: the position of a view of some pixels in the loaded part. It does not know the document.
 */
export class Viewport {
  /** Whether the end is followed while the log grows. */
  isFollowing = true
  /** The height of the view, in pixels. */
  view = 0
  /** Counts the moves, so that work for an old move does not override a new one. */
  moves = 0

  #scene: Scene = { rows: [], from: 1, next: 1, total: 0, isBroken: false }
  #items: readonly Item[] | null = null
  #heights: readonly number[] | null = null
  /** The row at the upper edge, and how many of its pixels are above. Unused while the end is followed. */
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

  /** Takes what is loaded now. The view stays where it is. */
  load(scene: Scene): void {
    this.#scene = scene
    this.#forget()
    if (this.#measured.size > 2 * scene.rows.length + 100) {
      const keys = new Set(this.items.map(({ key }) => key))
      ;[...this.#measured.keys()].filter((key) => !keys.has(key)).forEach((key) => this.#measured.delete(key))
    }
  }

  /** Forgets all heights: a line has so many pixels, and wraps after so many columns. */
  reset(line: number, columns: number): void {
    this.#line = line
    this.#columns = columns
    this.#measured.clear()
    this.#guesses = new WeakMap()
    this.#heights = null
  }

  /** Sets the height of an item. Returns whether it has changed. */
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

  /** The items to render, from `first` to before `last`: those in view, and some pixels more on both sides. */
  inView(margin: number): { first: number; last: number } {
    return inView(this.#all, this.#anchor, this.view, margin)
  }

  /** The top of an item, in pixels below the upper edge of the view. */
  topOf(key: number): number {
    return above(this.#all, { row: this.#indexOf(key), offset: 0 }) - this.above
  }

  /** The loaded pixels above the view. */
  get above(): number {
    return above(this.#all, this.#anchor)
  }

  /** The loaded pixels below the view. */
  get below(): number {
    return below(this.#all, this.#anchor, this.view)
  }

  /** Keeps the position relative to a row, which stays when more is loaded. */
  stay(anchor: Anchor = this.#anchor): void {
    let { row, offset } = anchor
    if (this.items[row]?.key === 0) {
      offset -= this.#all[row] ?? 0
      row += 1
    }
    this.#place = { recno: this.items[row]?.row?.recno ?? this.#place.recno, offset }
  }

  /** Moves down by some pixels, or up if negative, within the loaded part. */
  moveBy(pixels: number): void {
    const fits = this.above === 0 && this.below === 0
    const there = moved(this.#all, this.#anchor, pixels, this.view)
    const { next, total } = this.#scene
    const isEnd = pixels > 0 && below(this.#all, there, this.view) < 1 && total - next < NEARLY
    this.stay(there)
    this.#follow(isEnd || (this.isFollowing && fits))
  }

  /** Goes to a loaded record, or to the end. */
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

  /** The records whose rows are completely in view. */
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

  /** Whether the row of a record is completely in view. */
  shows(recno: number): boolean {
    const { first, last } = this.recordsInView()
    const row = this.#scene.rows[rowAt(this.#scene.rows, recno)]?.recno ?? -1
    return first <= row && row <= last
  }

  /** The state of the scroll bar. */
  bar(): Bar {
    const { above, below, view } = this
    const { from, next, total } = this.#scene
    // While following, the view is at the end, although there may be more by now.
    const length = this.isFollowing ? next - 1 : total
    return barOf({ view, loaded: above + view + below, above, below, from, next, total: length })
  }
}
