import type { ChangeInfo } from '@/api/types.ts'

/** Who started a job although something spoke against it, and what that was. */
export interface StartedAnyway {
  by: string
  problems: string[]
}

/** The changes that a job deploys. What is not one is left out: programs may write what they like into `data`. */
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

/** What is in the data of a job beside these, and beside the status of the train, which has a page of its own. */
export function otherData(data: Record<string, unknown>): Record<string, unknown> {
  const shown = [
    changesOf(data).length > 0 && 'change_infos',
    startedAnywayOf(data) !== null && 'started_anyway',
    'originalTrainStatus',
  ]
  return Object.fromEntries(Object.entries(data).filter(([name]) => !shown.includes(name)))
}

/**
 * On one line: `1234567 Fix the thing, and 1 more`. Null if none is known. The job was given so many: those that nobody
 * could look up count, too.
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

/** Whether JSON has members. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
