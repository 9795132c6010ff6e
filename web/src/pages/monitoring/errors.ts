import type { LocationQuery, LocationQueryRaw } from 'vue-router'

import type { MediaWikiErrors } from '@/api/types.ts'

/** The possible orders of the errors. */
export const ORDERS = ['most', 'fewest', 'news'] as const
export type Order = (typeof ORDERS)[number]

/** Which errors are shown. An empty member means any. */
export interface ErrorFilter {
  /** A part of the message, in any case. */
  text: string
  version: string
  order: Order
}

/** An error, compared with earlier counts. */
export interface ErrorRow {
  message: string
  count: number
  versions: string[]
  isNew: boolean
  /** How many more there are than before; 0 for new errors. */
  risen: number
}

/** How often each error occurred. */
export type Counts = ReadonlyMap<string, number>

export function countsOf({ log }: MediaWikiErrors): Counts {
  return new Map(Object.entries(log).map(([message, { count }]) => [message, count]))
}

/** All errors, compared with earlier counts. */
export function rowsOf({ log }: MediaWikiErrors, before: Counts): ErrorRow[] {
  return Object.entries(log).map(([message, { count, versions }]) => {
    const earlier = before.get(message)
    return { message, count, versions, isNew: earlier === undefined, risen: Math.max(0, count - (earlier ?? count)) }
  })
}

/** The errors that match, in the chosen order. */
export function chosenRows(rows: readonly ErrorRow[], { text, version, order }: ErrorFilter): ErrorRow[] {
  const needle = text.toLowerCase()
  return rows
    .filter(({ message, versions }) => message.toLowerCase().includes(needle) && isOf(versions, version))
    .sort((a, b) => byOrder(order, a, b) || a.message.localeCompare(b.message, 'en'))
}

function isOf(versions: readonly string[], version: string): boolean {
  return version === '' || versions.includes(version)
}

function byOrder(order: Order, a: ErrorRow, b: ErrorRow): number {
  switch (order) {
    case 'most':
      return b.count - a.count
    case 'fewest':
      return a.count - b.count
    case 'news':
      return Number(b.isNew) - Number(a.isNew) || b.risen - a.risen || b.count - a.count
  }
}

/** All versions that log errors, the newest first. */
export function versionsOf(rows: readonly ErrorRow[]): string[] {
  const versions = [...new Set(rows.flatMap(({ versions }) => versions))]
  return versions.sort((a, b) => b.localeCompare(a, 'en', { numeric: true }))
}

/** The filter in an address. Unknown values are ignored. */
export function filterOf(query: LocationQuery): ErrorFilter {
  const first = (name: string) => [query[name]].flat()[0] ?? ''
  return { text: first('q'), version: first('version'), order: ORDERS.find((one) => one === first('order')) ?? 'most' }
}

/** The address of a filter. */
export function queryOf({ text, version, order }: ErrorFilter): LocationQueryRaw {
  return {
    ...(text === '' ? {} : { q: text }),
    ...(version === '' ? {} : { version }),
    ...(order === 'most' ? {} : { order }),
  }
}
