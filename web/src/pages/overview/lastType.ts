import { preference } from '@/state/preference.ts'

/** The job type that this browser started last. */
export const lastType = preference<string>('last-type', '', (stored) => typeof stored === 'string')
