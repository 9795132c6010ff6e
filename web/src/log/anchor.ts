/**
 * Where a long list is looked at.
 *
 * Its rows have heights in pixels, those of rows that were not shown yet are guesses. Nothing here counts from the
 * beginning of the log: a place is a row, and what is above it can change without moving it.
 */
export interface Anchor {
  /** The row at the upper edge of the view, by its place among those that are loaded. */
  row: number
  /** How many pixels of it are above the edge. */
  offset: number
}

export type Heights = readonly number[]

/** The place from which the last row ends at the lower edge, or the first begins at the upper one if all fit. */
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

/** So many pixels further down, or up if negative, but never past an end. */
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

/** How many pixels there are above the view. */
export function above(heights: Heights, { row, offset }: Anchor): number {
  return sum(heights, 0, row) + offset
}

/** How many pixels there are below the view; none if it is not full. */
export function below(heights: Heights, { row, offset }: Anchor, view: number): number {
  return Math.max(0, sum(heights, row, heights.length) - offset - view)
}

/** The rows to show, from the first up to before the last: those in view, and some pixels more on both sides. */
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
