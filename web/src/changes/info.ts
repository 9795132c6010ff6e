import type { ChangeInfo } from '@/api/types.ts'

/** A start despite known problems: by whom, and which problems. */
export interface StartedAnyway {
  by: string
  problems: string[]
}

/** The changes that a job deploys. Other values are ignored, as programs can write anything into `data`. */
export function changesOf(data: Record<string, unknown>): ChangeInfo[] {
  return Array.isArray(data.change_infos) ? data.change_infos.filter(isChangeInfo) : []
}

function isChangeInfo(value: unknown): value is ChangeInfo {
  return isObject(value) && typeof value.number === 'number' && typeof value.subject === 'string'
}

export function startedAnywayOf({ started_anyway: value }: Record<string, unknown>): StartedAnyway | null {
  return isObject(value) && typeof value.by === 'string' && Array.isArray(value.problems)
    ? { by: value.by, problems: value.problems.map(String) }
    : null
}

/** The other data of a job, without the status of the train, which has its own page. */
export function otherData(data: Record<string, unknown>): Record<string, unknown> {
  const shown = [
    changesOf(data).length > 0 && 'change_infos',
    startedAnywayOf(data) !== null && 'started_anyway',
    'originalTrainStatus',
  ]
  return Object.fromEntries(Object.entries(data).filter(([name]) => !shown.includes(name)))
}

/**
 * A summary on one line: `1234567 Fix the thing, and 1 more`. Null if no change is known. `given` is the number of
 * changes in the parameters: those that were not looked up count, too.
 */
export function changesInShort(data: Record<string, unknown>, given = 0): string | null {
  const changes = changesOf(data)
  const [first] = changes
  if (first === undefined) {
    return null
  }
  const more = Math.max(changes.length, given) - 1
  return `${first.number} ${first.subject}${more === 0 ? '' : `, and ${more} more`}`
}

/** Whether a JSON value is an object or an array. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
