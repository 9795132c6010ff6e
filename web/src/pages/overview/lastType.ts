import { preference } from '@/state/preference.ts'

/** The job type that was started last from this browser. */
export const lastType = preference<string>('last-type', '', (stored) => typeof stored === 'string')
