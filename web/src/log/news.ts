import { computed, onScopeDispose, shallowRef, watch, type ComputedRef, type Ref, type ShallowRef } from 'vue'

/** Between two things that are said, in milliseconds: nobody wants to listen to every line. */
const PAUSE = 5000

export interface News {
  /** How many records have come since the end was not shown any more. */
  fresh: ComputedRef<number>
  /** What a screen reader is to say. */
  said: Readonly<ShallowRef<string>>
  /** Says something at once. */
  say: (words: string) => void
}

/** What is new in a log of so many records, whose end is shown or not. */
export function useNews(total: Readonly<Ref<number>>, isFollowing: Readonly<Ref<boolean>>): News {
  const seen = shallowRef(0)
  const said = shallowRef('')
  /** How many records have been told of. Nothing is told of those that were there from the beginning. */
  let told: number | null = null
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
    if (told === null || length < told) {
      told = length
    } else {
      timer ??= setTimeout(tell, PAUSE)
    }
  })

  function tell(): void {
    timer = undefined
    const records = total.value - (told ?? 0)
    told = total.value
    if (records > 0) {
      said.value = newRecords(records)
    }
  }

  onScopeDispose(() => clearTimeout(timer))
  return {
    fresh: computed(() => Math.max(0, total.value - seen.value)),
    said,
    say: (words) => (said.value = words),
  }
}

/** `12 new records`: not only lines, but also what the job said and was told. What has come is not read before it is shown. */
export function newRecords(count: number): string {
  return count === 1 ? '1 new record' : `${count.toLocaleString('en-GB')} new records`
}
