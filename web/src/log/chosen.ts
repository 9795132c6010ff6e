import { computed, watch, type ComputedRef } from 'vue'
import { useRoute, useRouter } from 'vue-router'

import { formatRange, parseRange, rangeOf, type Range } from './range.ts'

/** The lines that somebody chose. They stand in the address, so that it can be passed on. */
export interface Chosen {
  range: ComputedRef<Range | null>
  /** Chooses a line that is in view; with `isFurther` all from the one that was chosen before. */
  choose: (recno: number, isFurther: boolean) => void
  /** Chooses lines that may be anywhere, or none. */
  set: (range: Range | null) => void
}

/** `show` is called with the first line, if they were not chosen among those in view. */
export function useChosen(show: (recno: number) => void): Chosen {
  const route = useRoute()
  const router = useRouter()
  const range = computed(() => parseRange(route.hash))
  /** What was chosen among the lines in view. */
  let chosenHere = ''

  function set(lines: Range | null): void {
    void router.replace({ hash: lines === null ? '' : formatRange(lines), query: route.query })
  }

  watch(
    () => route.hash,
    (hash) => {
      if (range.value && hash !== chosenHere) {
        show(range.value.from)
      }
      chosenHere = ''
    },
  )
  return {
    range,
    choose(recno, isFurther) {
      const lines = rangeOf(isFurther ? (range.value?.from ?? recno) : recno, recno)
      chosenHere = formatRange(lines)
      set(lines)
    },
    set,
  }
}
