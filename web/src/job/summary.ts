import type { Job, Param } from '@/api/types.ts'
import { changesInShort } from '@/changes/info.ts'

/** The most characters that are shown. */
const LONGEST = 200

/**
 * The parameters of a job on one line: the values of the first parameter, then the others with their titles. For
 * changes it is the subject of the first one, if it was looked up when the job started.
 *
 * Secret values are masked. Empty values and switches that are off are left out.
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
