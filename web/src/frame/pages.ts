import type { RouteLocationRaw } from 'vue-router'

import { TRAIN, type JobType, type Monitoring } from '@/api/types.ts'

/** A page in the navigation. */
export interface Page {
  title: string
  to: RouteLocationRaw
  /** A count beside the title. */
  count?: number
}

/** The pages of the navigation: those about MediaWiki, if they have content, and one for each job type. */
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

/** `1,834`, and `12.3K` for large counts. */
export function shortCount(count: number): string {
  const isLong = count >= 10_000
  return count.toLocaleString('en', isLong ? { notation: 'compact', maximumFractionDigits: 1 } : {})
}
