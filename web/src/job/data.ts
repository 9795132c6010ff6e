import type { JobType } from '@/api/types.ts'

/** A value with its name, as text. */
export interface Entry {
  name: string
  text: string
  /** Whether it contains other values, so that lines and indents matter. */
  isNested: boolean
}

/** Any JSON object of a job, for people to read. */
export function entriesOf(data: Record<string, unknown>): Entry[] {
  return Object.entries(data).map(([name, value]) => ({ name, ...textOf(value) }))
}

function textOf(value: unknown): Omit<Entry, 'name'> {
  if (Array.isArray(value) && value.every((one) => !isNested(one))) {
    return { text: value.map(plain).join('\n') || '(none)', isNested: false }
  }
  return isNested(value)
    ? { text: JSON.stringify(value, null, 2), isNested: true }
    : { text: plain(value), isNested: false }
}

function isNested(value: unknown): boolean {
  return typeof value === 'object' && value !== null
}

function plain(value: unknown): string {
  switch (value) {
    case null:
    case '':
      return '(empty)'
    case true:
      return 'yes'
    case false:
      return 'no'
    default:
      return String(value)
  }
}

/** Labels of a job's parameters, by name. The job type may be gone. */
export function paramTitles(jobType: JobType | undefined): Record<string, string> {
  return Object.fromEntries(jobType?.params.map(({ name, title }) => [name, title]) ?? [])
}
