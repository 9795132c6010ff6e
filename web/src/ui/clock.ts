import { readonly, shallowRef, type Ref } from 'vue'

import { serverTime } from '@/api/serverTime.ts'

/** Milliseconds since the epoch, told once a second. */
const now = shallowRef(serverTime())
let isTicking = false

/**
 * What time it is at the API, for what gets older while somebody looks at it.
 *
 * One clock for the whole page; browsers slow it down by themselves while nobody sees it.
 */
export function useNow(): Readonly<Ref<number>> {
  if (!isTicking) {
    isTicking = true
    setInterval(() => (now.value = serverTime()), 1000)
  }
  return readonly(now)
}
