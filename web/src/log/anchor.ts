/**
 * A position in a long list.
 *
 * Rows have heights in pixels; those of rows that were not shown yet are guesses. A position is relative to a row and
 * not to the start of the log, so it stays when rows above it change.
 */
export interface Anchor {
  /** The row at the upper edge of the view, as an index of the loaded rows. */
  row: number
  /** How many pixels of it are above the edge. */
  offset: number
}

export type Heights = readonly number[]

/** The position with the last row at the lower edge, or with the first row at the upper edge if all fit. */
export function atEnd(heights: Heights, view: number): Anchor {
  let space = view
  for (let row = heights.length - 1; row >= 0; row -= 1) {
    space -= heights[row] ?? 0
    if (space <= 0) {
      return { row, offset: -space }
    }
  }
  return { row: 0, offset: 0 }
}

/** Moves down by some pixels, or up if negative, but never past an end. */
export function moved(heights: Heights, from: Anchor, by: number, view: number): Anchor {
  let { row, offset } = from
  offset += by
  while (offset < 0 && row > 0) {
    row -= 1
    offset += heights[row] ?? 0
  }
  while (row < heights.length - 1 && offset >= (heights[row] ?? 0)) {
    offset -= heights[row] ?? 0
    row += 1
  }
  const end = atEnd(heights, view)
  const isPast = row > end.row || (row === end.row && offset > end.offset)
  return isPast ? end : { row, offset: Math.max(0, offset) }
}

/** The pixels above the view. */
export function above(heights: Heights, { row, offset }: Anchor): number {
  return sum(heights, 0, row) + offset
}

/** The pixels below the view; 0 if it is not full. */
export function below(heights: Heights, { row, offset }: Anchor, view: number): number {
  return Math.max(0, sum(heights, row, heights.length) - offset - view)
}

/** The rows to render, from `first` to before `last`: those in view, and some pixels more on both sides. */
export function inView(
  heights: Heights,
  { row, offset }: Anchor,
  view: number,
  margin: number,
): { first: number; last: number } {
  let first = row
  for (let space = margin - offset; space > 0 && first > 0;) {
    first -= 1
    space -= heights[first] ?? 0
  }
  let last = row
  for (let space = view + margin + offset; space > 0 && last < heights.length; last += 1) {
    space -= heights[last] ?? 0
  }
  return { first, last }
}

function sum(heights: Heights, from: number, to: number): number {
  let pixels = 0
  for (let row = from; row < to; row += 1) {
    pixels += heights[row] ?? 0
  }
  return pixels
}
