import { computed, shallowRef, watch, type ComputedRef } from 'vue'
import { useRoute, useRouter } from 'vue-router'

import { formatRange, parseRange, rangeOf, type Range } from './range.ts'

/** The lines that somebody chose. On the page of the job they stand in the address, so that it can be passed on. */
export interface Selection {
  range: ComputedRef<Range | null>
  /** The address of a line, which is on the page of the job wherever its log is shown. */
  addressOf: (recno: number) => string
  /** Chooses a line that is in view; with `isFurther` all from the one that was chosen before. */
  select: (recno: number, isFurther: boolean) => void
  /** Chooses lines that may be anywhere, or none. */
  set: (range: Range | null) => void
}

/** `show` is called with the first line, if they were not chosen among those in view. */
export function useSelection(job: number, show: (recno: number) => void): Selection {
  const route = useRoute()
  const router = useRouter()
  const page = router.resolve({ name: 'job', params: { id: job } })
  const isItsPage = computed(() => route.path === page.path)
  /** What is chosen on another page, whose address says nothing of this log. */
  const elsewhere = shallowRef('')
  const hash = computed(() => (isItsPage.value ? route.hash : elsewhere.value))
  const range = computed(() => parseRange(hash.value))
  /** What was chosen among the lines in view. */
  let selectedHere = ''

  function set(lines: Range | null): void {
    const hash = lines === null ? '' : formatRange(lines)
    if (isItsPage.value) {
      void router.replace({ hash, query: route.query })
    } else {
      elsewhere.value = hash
    }
  }

  watch(hash, (hash) => {
    if (range.value && hash !== selectedHere) {
      show(range.value.from)
    }
    selectedHere = ''
  })
  return {
    range,
    addressOf: (recno) => page.href + formatRange({ from: recno, to: recno }),
    select(recno, isFurther) {
      const lines = rangeOf(isFurther ? (range.value?.from ?? recno) : recno, recno)
      selectedHere = formatRange(lines)
      set(lines)
    },
    set,
  }
}
