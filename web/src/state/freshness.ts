import { onScopeDispose, readonly, shallowRef, watch, type Ref } from 'vue'

import { isFresh, type Connection } from '@/api/events.ts'

/** Outages shorter than this are not shown, in milliseconds: the stream is renewed once an hour. */
const GRACE = 1000

/** How long “Reconnected” is shown, in milliseconds. */
const RELIEF = 5000

/** Whether the data is fresh, may be stale, or was stale until a moment ago. */
export type Freshness = 'fresh' | 'stale' | 'fresh again'

/** Follows a connection. A first connection that takes too long counts as stale, too. */
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
