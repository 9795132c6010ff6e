import { computed, onScopeDispose, shallowRef, watch, type ComputedRef, type Ref, type ShallowRef } from 'vue'

/** Between two announcements, in milliseconds: nobody wants to listen to every line. */
const PAUSE = 5000

export interface NewRecords {
  /** How many records have come since the end was not shown any more. */
  unseen: ComputedRef<number>
  /** What a screen reader is to announce. */
  announcement: Readonly<ShallowRef<string>>
  /** Says something at once. */
  announce: (words: string) => void
}

/** What is new in a log of so many records, whose end is shown or not. */
export function useNewRecords(total: Readonly<Ref<number>>, isFollowing: Readonly<Ref<boolean>>): NewRecords {
  const seen = shallowRef(0)
  const announcement = shallowRef('')
  /** How many records have been announced. Nothing is said of those that were there from the beginning. */
  let announced: number | null = null
  let timer: ReturnType<typeof setTimeout> | undefined

  watch(
    [total, isFollowing],
    ([length, follows], [, followed]) => {
      // Those that come with the change were not yet behind the end.
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
