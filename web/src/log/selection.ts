import { computed, shallowRef, watch, type ComputedRef } from 'vue'
import { useRoute, useRouter } from 'vue-router'

import { formatRange, parseRange, rangeOf, type Range } from './range.ts'

/** The selected lines. On the page of the job the address contains them, so that it can be shared. */
export interface Selection {
  range: ComputedRef<Range | null>
  /** The address of a line, always on the page of the job. */
  addressOf: (recno: number) => string
  /** Selects a line in view; with `isFurther`, all lines from the previous selection. */
  select: (recno: number, isFurther: boolean) => void
  /** Selects any lines, or none. */
  set: (range: Range | null) => void
}

/** `show` is called with the first line of a selection from outside of the view. */
export function useSelection(job: number, show: (recno: number) => void): Selection {
  const route = useRoute()
  const router = useRouter()
  const page = router.resolve({ name: 'job', params: { id: job } })
  const isItsPage = computed(() => route.path === page.path)
  /** The selection on other pages, whose address does not contain it. */
  const elsewhere = shallowRef('')
  const hash = computed(() => (isItsPage.value ? route.hash : elsewhere.value))
  const range = computed(() => parseRange(hash.value))
  /** The selection that was made in the view. */
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
