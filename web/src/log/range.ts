/** Lines of a log, by the numbers of their records, both included. */
export interface Range {
  from: number
  to: number
}

/** Reads the part of an address behind `#`: `#L120` or `#L120-L140`. Null if it is something else. */
export function parseRange(hash: string): Range | null {
  const [, first, last] = /^#L([1-9]\d{0,14})(?:-L?([1-9]\d{0,14}))?$/.exec(hash) ?? []
  return first === undefined ? null : rangeOf(Number(first), Number(last ?? first))
}

export function formatRange({ from, to }: Range): string {
  return from === to ? `#L${from}` : `#L${from}-L${to}`
}

/** The lines from one to the other, whichever comes first. */
export function rangeOf(one: number, other: number): Range {
  return { from: Math.min(one, other), to: Math.max(one, other) }
}

/** The next of numbers that rise: behind one or before it, and around at the ends. Null if there are none. */
export function nextOf(numbers: readonly number[], from: number, direction: 1 | -1): number | null {
  const found = direction === 1 ? numbers.find((number) => number > from) : numbers.findLast((number) => number < from)
  return found ?? numbers.at(direction === 1 ? 0 : -1) ?? null
}
