import { onScopeDispose, readonly, shallowRef, watch, type Ref } from 'vue'

import { isFresh, type Connection } from '@/api/events.ts'

/** So long, in milliseconds, nobody is told of a connection that may be back in a moment, as it is once an hour. */
const GRACE = 1000

/** So long, in milliseconds, it is said that it is back. */
const RELIEF = 5000

/** Whether what is shown may be stale: it is fresh, it may be stale, or it was stale until a moment ago. */
export type Freshness = 'fresh' | 'stale' | 'fresh again'

/** Follows a connection. Before the first one nothing is shown that could be stale; that there is none is told, too. */
export function useFreshness(connection: Readonly<Ref<Connection>>): Readonly<Ref<Freshness>> {
  const freshness = shallowRef<Freshness>('fresh')
  let timer: ReturnType<typeof setTimeout> | undefined
  const later = (pause: number, then: Freshness) => {
    clearTimeout(timer)
    timer = setTimeout(() => (freshness.value = then), pause)
  }
  let hasBeenLive = false
  watch(
    () => isFresh(connection.value),
    (isLive) => {
      if (!isLive) {
        later(GRACE, 'stale')
      } else if (freshness.value === 'stale' && hasBeenLive) {
        freshness.value = 'fresh again'
        later(RELIEF, 'fresh')
      } else {
        later(0, 'fresh')
      }
      hasBeenLive ||= isLive
    },
    { immediate: true, flush: 'sync' },
  )
  onScopeDispose(() => clearTimeout(timer))
  return readonly(freshness)
}
