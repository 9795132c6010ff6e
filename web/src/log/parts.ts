import { linkify } from '@/text/linkify.ts'
import { scan, type Span } from '@/text/terminal.ts'

import { paintOf, type Paint } from './colours.ts'

/** A text in one style, found by a search or not. */
export interface Piece {
  text: string
  paint: Paint
  isMatch: boolean
}

/** A part of a text, which may be a link. */
export interface Part {
  href: string | null
  pieces: Piece[]
}

/** The visible parts of a text, and how many characters are left out. */
export interface Shown {
  parts: Part[]
  left: number
}

/** Splits a line of output into parts with styles, links and matches: at most `most` characters. */
export function shownOf(text: string, needle: string, most: number): Shown {
  const { spans, left } = cut(scan(text), most)
  const plain = spans.map((span) => span.text).join('')
  const matches = matchesOf(plain, needle)
  const parts: Part[] = []
  const walk = new Walk(spans)
  let at = 0
  let match = 0
  for (const { text: linked, href } of linkify(plain)) {
    const pieces: Piece[] = []
    const end = at + linked.length
    while (at < end) {
      while ((matches[match]?.end ?? Infinity) <= at) {
        match += 1
      }
      const { start: matchStart = Infinity, end: matchEnd = Infinity } = matches[match] ?? {}
      const isMatch = at >= matchStart
      const { text, paint } = walk.take(Math.min(end, isMatch ? matchEnd : matchStart) - at)
      pieces.push({ text, paint, isMatch })
      at += text.length
    }
    parts.push({ href: href ?? null, pieces })
  }
  return { parts, left }
}

/** Walks over spans in steps of any length. */
class Walk {
  readonly #spans: readonly Span[]
  #span = 0
  #offset = 0
  #paint: Paint | null = null

  constructor(spans: readonly Span[]) {
    this.#spans = spans
  }

  /** The next characters in one style, at most so many. */
  take(most: number): { text: string; paint: Paint } {
    const span = this.#spans[this.#span]
    if (span === undefined) {
      throw new Error('there is no more text')
    }
    this.#paint ??= paintOf(span.style)
    const taken = { text: span.text.slice(this.#offset, this.#offset + most), paint: this.#paint }
    this.#offset += taken.text.length
    if (this.#offset >= span.text.length) {
      this.#span += 1
      this.#offset = 0
      this.#paint = null
    }
    return taken
  }
}

/** The first characters, without cutting one in half. */
function cut(spans: Span[], most: number): { spans: Span[]; left: number } {
  const length = spans.reduce((all, span) => all + span.text.length, 0)
  if (length <= most) {
    return { spans, left: 0 }
  }
  const shown: Span[] = []
  let room = most
  for (const { text, style } of spans) {
    const end = room < text.length && isHalf(text, room) ? room - 1 : room
    if (end > 0) {
      shown.push({ text: text.slice(0, end), style })
    }
    room -= text.length
    if (room <= 0) {
      break
    }
  }
  return { spans: shown, left: length - shown.reduce((all, span) => all + span.text.length, 0) }
}

/** Whether a cut there would split a surrogate pair. */
function isHalf(text: string, at: number): boolean {
  return (text.codePointAt(at - 1) ?? 0) > 0xffff
}

/** All matches of a text, in any case. */
function matchesOf(text: string, needle: string): { start: number; end: number }[] {
  if (needle === '') {
    return []
  }
  const pattern = new RegExp(needle.replace(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`), 'giu')
  return Array.from(text.matchAll(pattern), ({ index, 0: found }) => ({ start: index, end: index + found.length }))
}
