/** The highest scroll area. Every browser can show elements of about 17 million pixels. */
const HIGHEST = 6_000_000

/** The loaded part of a log, and the view in it, in pixels unless noted. */
export interface Extent {
  /** The height of the view. */
  view: number
  /** The height of all loaded rows, and the parts above and below the view. */
  loaded: number
  above: number
  below: number
  /** Records: the first loaded one, the first after them, and how many the log has. */
  from: number
  next: number
  total: number
}

/** The state of the scroll bar: the height of the scroll area, and its position. */
export interface Bar {
  height: number
  top: number
}

/**
 * Computes the scroll bar.
 *
 * A log that is completely loaded has its true height. For longer logs the height is a limited guess, and the position
 * shows which part of the records is above the view. Near the ends of the log it is exact, so that an end is reached
 * exactly when there is nothing more to scroll.
 */
export function barOf({ view, loaded, above, below, from, next, total }: Extent): Bar {
  const isAtStart = from <= 1
  const isAtEnd = next > total
  if (isAtStart && isAtEnd) {
    return { height: Math.max(view, loaded), top: above }
  }
  const records = Math.max(1, next - from)
  const guess = (loaded / records) * Math.max(total, records)
  const height = Math.min(HIGHEST, Math.max(guess, loaded + 2 * view))
  const most = height - view
  if (isAtStart) {
    return { height, top: Math.min(above, most - view) }
  }
  if (isAtEnd) {
    return { height, top: Math.max(most - below, view) }
  }
  const recordsAbove = from - 1 + (loaded > 0 ? above / loaded : 0) * records
  return { height, top: Math.min(Math.max(most * (recordsAbove / total), view), most - view) }
}

/** The record at a position of the scroll bar. */
export function recordAt(top: number, most: number, total: number): number {
  return Math.min(total, Math.max(1, 1 + Math.floor((top / Math.max(1, most)) * total)))
}
