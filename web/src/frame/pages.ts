import type { RouteLocationRaw } from 'vue-router'

import { TRAIN, type JobType, type Monitoring } from '@/api/types.ts'

/** A page that the header leads to. */
export interface Page {
  title: string
  to: RouteLocationRaw
  /** How many there are of what it shows. */
  count?: number
}

/** The pages that there are here: those about MediaWiki, where there is something to see, and where jobs are started. */
export function pagesOf(jobTypes: readonly Pick<JobType, 'name' | 'title'>[], monitoring: Monitoring | null): Page[] {
  const { train = null, mediawiki = null } = monitoring ?? {}
  const hasTrain = train !== null || jobTypes.some(({ name }) => name === TRAIN)
  const count = mediawiki?.total
  return [
    ...(hasTrain ? [{ title: 'Train', to: { name: 'train' } }] : []),
    ...(hasTrain || mediawiki !== null ? [{ title: 'Errors', to: { name: 'errors' }, count }] : []),
    ...jobTypes
      .filter(({ name }) => name !== TRAIN)
      .map(({ name, title }) => ({ title, to: { name: 'start', params: { type: name } } })),
  ]
}

/** `1,834`, and `12.3K` where more would not fit. */
export function shortCount(count: number): string {
  const isLong = count >= 10_000
  return count.toLocaleString('en', isLong ? { notation: 'compact', maximumFractionDigits: 1 } : {})
}
