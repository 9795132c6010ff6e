import { readonly, shallowRef, type Ref } from 'vue'

/** Milliseconds since the epoch, told once a second. */
const now = shallowRef(Date.now())
let isTicking = false

/**
 * What time it is, for what gets older while somebody looks at it.
 *
 * One clock for the whole page; browsers slow it down by themselves while nobody sees it.
 */
export function useNow(): Readonly<Ref<number>> {
  if (!isTicking) {
    isTicking = true
    setInterval(() => (now.value = Date.now()), 1000)
  }
  return readonly(now)
}
