/** Lines of a log, by the numbers of their first and last records. */
export interface Range {
  from: number
  to: number
}

/** Reads the hash of an address: `#L120` or `#L120-L140`. Null for other texts. */
export function parseRange(hash: string): Range | null {
  const [, first, last] = /^#L([1-9]\d{0,14})(?:-L?([1-9]\d{0,14}))?$/.exec(hash) ?? []
  return first === undefined ? null : rangeOf(Number(first), Number(last ?? first))
}

export function formatRange({ from, to }: Range): string {
  return from === to ? `#L${from}` : `#L${from}-L${to}`
}

/** The lines between two records, in either order. */
export function rangeOf(one: number, other: number): Range {
  return { from: Math.min(one, other), to: Math.max(one, other) }
}

/** The next of ascending numbers, after or before one, wrapping around at the ends. Null if there are none. */
export function nextOf(numbers: readonly number[], from: number, direction: 1 | -1): number | null {
  const found = direction === 1 ? numbers.find((number) => number > from) : numbers.findLast((number) => number < from)
  return found ?? numbers.at(direction === 1 ? 0 : -1) ?? null
}
