import type { Job, Param } from '@/api/types.ts'
import { changesInShort } from '@/changes/info.ts'

/** So much is shown. */
const LONGEST = 200

/**
 * What a job was started with, on one line: the values of its first parameter, then the others with their titles.
 * Of changes it is the first one's subject, if that was looked up when the job was started.
 *
 * Values that are secret come masked. What is empty, or a switch that is off, is left out.
 */
export function summaryOf({ params, data }: Pick<Job, 'params' | 'data'>, declared: readonly Param[]): string {
  const changeParams = declared.filter(({ kind }) => kind === 'gerrit-change').map(({ name }) => name)
  const changes = changesInShort(data, changeParams.flatMap((name) => params[name] ?? []).length)
  const names = [...new Set([...declared.map(({ name }) => name), ...Object.keys(params)])]
  const parts: string[] = changes === null ? [] : [changes]
  for (const [place, name] of names.entries()) {
    const title = declared.find((param) => param.name === name)?.title ?? name
    const text = changes !== null && changeParams.includes(name) ? '' : textOf(params[name], title)
    if (text !== '') {
      parts.push(place === 0 || params[name] === true ? text : `${title}: ${text}`)
    }
  }
  const summary = parts.join(' · ')
  return summary.length > LONGEST ? `${summary.slice(0, LONGEST)}…` : summary
}

function textOf(value: unknown, title: string): string {
  if (value === null || value === undefined || value === false) {
    return ''
  }
  if (value === true) {
    return title
  }
  if (Array.isArray(value)) {
    return value.map(String).join(', ')
  }
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}
