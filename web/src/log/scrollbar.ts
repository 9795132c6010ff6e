/** The highest element that every browser can show is some 17 million pixels high; this is safely below. */
const HIGHEST = 6_000_000

/** How much of a log is loaded, and where in it the view is. Pixels, unless it says records. */
export interface Extent {
  /** The height of the view. */
  view: number
  /** The height of all rows that are loaded, and what of it is above and below the view. */
  loaded: number
  above: number
  below: number
  /** Records: the first that is loaded, the first behind them, and how many the log has. */
  from: number
  next: number
  total: number
}

/** What a scroll bar shows of a log: the height of what is scrolled, and how far that is. */
export interface Bar {
  height: number
  top: number
}

/**
 * Makes the scroll bar.
 *
 * A log that is wholly loaded has its true height. Of a longer one the height is a guess, and has a limit; there the bar
 * says which part of the records is above the view. Near the ends of the log it is exact again, so that an end is
 * reached exactly when there is nothing more to scroll.
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

/** The record that somebody means who has scrolled there. */
export function recordAt(top: number, most: number, total: number): number {
  return Math.min(total, Math.max(1, 1 + Math.floor((top / Math.max(1, most)) * total)))
}
