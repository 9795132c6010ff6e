import { shallowRef, type MaybeRefOrGetter, type ShallowRef } from 'vue'

import type { LogMark } from '@/api/types.ts'

/** What there is to jump to in the log of a job, as far as the log has been looked through. */
export interface Marks {
  readonly list: Readonly<ShallowRef<readonly LogMark[]>>
  /** Why they could not be asked for, the last time. */
  readonly problem: Readonly<ShallowRef<string | null>>
}

export function useMarks(_job: MaybeRefOrGetter<number>): Marks {
  return { list: shallowRef([]), problem: shallowRef(null) }
}
