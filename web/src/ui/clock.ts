import { readonly, shallowRef, type Ref } from 'vue'

import { serverTime } from '@/api/serverTime.ts'

/** Milliseconds since the epoch, updated every second. */
const now = shallowRef(serverTime())
let isTicking = false

/**
 * The time of the API, updated every second, for ages and countdowns.
 *
 * The whole page shares one clock. Browsers slow it down while the page is hidden.
 */
export function useNow(): Readonly<Ref<number>> {
  if (!isTicking) {
    isTicking = true
    setInterval(() => (now.value = serverTime()), 1000)
  }
  return readonly(now)
}
