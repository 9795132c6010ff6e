import { computed, onScopeDispose, shallowRef, watch, type ComputedRef, type Ref, type ShallowRef } from 'vue'

/** Between two announcements, in milliseconds: nobody wants to listen to every line. */
const PAUSE = 5000

export interface NewRecords {
  /** How many records have arrived since the end was last shown. */
  unseen: ComputedRef<number>
  /** The announcement for screen readers. */
  announcement: Readonly<ShallowRef<string>>
  /** Announces something at once. */
  announce: (words: string) => void
}

/** The new records of a log with `total` records, whose end is followed or not. */
export function useNewRecords(total: Readonly<Ref<number>>, isFollowing: Readonly<Ref<boolean>>): NewRecords {
  const seen = shallowRef(0)
  const announcement = shallowRef('')
  /** How many records have been announced. Those from the beginning are not. */
  let announced: number | null = null
  let timer: ReturnType<typeof setTimeout> | undefined

  watch(
    [total, isFollowing],
    ([length, follows], [, followed]) => {
      // Records that arrive with the change still were at the end.
      if (follows || followed || length < seen.value) {
        seen.value = length
      }
    },
    { immediate: true, flush: 'sync' },
  )
  watch(total, (length) => {
    if (announced === null || length < announced) {
      announced = length
    } else {
      timer ??= setTimeout(tell, PAUSE)
    }
  })

  function tell(): void {
    timer = undefined
    const records = total.value - (announced ?? 0)
    announced = total.value
    if (records > 0) {
      announcement.value = newRecords(records)
    }
  }

  onScopeDispose(() => clearTimeout(timer))
  return {
    unseen: computed(() => Math.max(0, total.value - seen.value)),
    announcement,
    announce: (words) => (announcement.value = words),
  }
}

/** `12 new records`: not only lines, but also statuses, answers and signals. */
export function newRecords(count: number): string {
  return count === 1 ? '1 new record' : `${count.toLocaleString('en-GB')} new records`
}
