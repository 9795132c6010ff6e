import type { LocationQuery, LocationQueryRaw } from 'vue-router'

import type { AuditFilter } from '@/api/client.ts'

/** The events of the audit trail, in the order of the filter's choices. */
export const EVENTS: ReadonlyMap<string, string> = new Map([
  ['start', 'Job started'],
  ['answer', 'Question answered'],
  ['signal', 'Job stopped'],
  ['reveal', 'Sensitive lines viewed'],
  ['pause', 'Job runner paused'],
  ['resume', 'Job runner resumed'],
  ['sign_in', 'Signed in'],
  ['sign_in_refused', 'Sign-in refused'],
  ['second_factor', 'Code accepted'],
  ['second_factor_refused', 'Code refused'],
  ['locked', 'Too many attempts'],
  ['refused', 'Permission denied'],
  ['sign_out', 'Signed out'],
  ['sessions_ended', 'Sessions ended'],
  ['second_factor_changed', 'Second factor changed'],
  ['account_changed', 'Account changed'],
  ['token_changed', 'Token changed'],
])

/** Events that deserve attention, with a label for each. */
const TROUBLE: ReadonlyMap<string, string> = new Map([
  ['sign_in_refused', 'Refused'],
  ['second_factor_refused', 'Refused'],
  ['locked', 'Locked'],
  ['refused', 'Refused'],
])

/** The label of an event that deserves attention. Null for others. */
export function troubleOf(event: string): string | null {
  return TROUBLE.get(event) ?? null
}

const NAMES = ['user', 'event', 'q'] as const

/** The filter in an address. */
export function filterOf(query: LocationQuery): AuditFilter {
  const first = (name: (typeof NAMES)[number]) => [query[name]].flat()[0] ?? ''
  return { user: first('user'), event: first('event'), q: first('q') }
}

/** The address of a filter. */
export function queryOf(filter: AuditFilter): LocationQueryRaw {
  return Object.fromEntries(NAMES.map((name) => [name, filter[name]]).filter(([, value]) => value !== ''))
}

/** When an entry was written, in seconds since the epoch. Null if that cannot be read. */
export function secondsOf(time: string): number | null {
  const milliseconds = Date.parse(time)
  return Number.isNaN(milliseconds) ? null : milliseconds / 1000
}
