import { onScopeDispose, readonly, shallowRef, watch, type Ref } from 'vue'

import type { Job } from '@/api/types.ts'
import { GUARD } from '@/job/prompt.ts'

/**
 * Keeps clicks from jobs that have just moved: they may be meant for what was there before. An answer to one job, or the
 * second half of a double click, is not to answer the next one.
 */
export function useClickGuard(jobs: Readonly<Ref<readonly Job[]>>): {
  isMoving: Readonly<Ref<boolean>>
  /** What there is to say of a click that was kept from a job, until the next one is taken. */
  announcement: Readonly<Ref<string>>
  /** Takes each click before the jobs do. */
  guardClick: (click: MouseEvent) => void
} {
  const isMoving = shallowRef(false)
  const announcement = shallowRef('')
  let timer: ReturnType<typeof setTimeout> | undefined

  watch(jobs, (now, before) => {
    if (hasMoved(before, now)) {
      isMoving.value = true
      clearTimeout(timer)
      timer = setTimeout(() => (isMoving.value = false), GUARD)
    }
  })
  onScopeDispose(() => clearTimeout(timer))

  function guardClick(click: MouseEvent): void {
    // Of a keyboard it has no place, and is meant for what has the focus.
    const hasPlace = click.detail > 0
    const isMeantForAnother = isMoving.value && hasPlace
    announcement.value = isMeantForAnother ? 'The click was ignored because the list had just moved.' : ''
    if (isMeantForAnother) {
      click.preventDefault()
      click.stopPropagation()
    }
  }

  return { isMoving: readonly(isMoving), announcement: readonly(announcement), guardClick }
}

/** Whether a job that was there before is at another place now, by what is above it. */
export function hasMoved(before: readonly Job[], now: readonly Job[]): boolean {
  return now.some(({ id }) => {
    const was = above(before, id)
    return was !== null && was !== above(now, id)
  })
}

/** What decides on the place of a job: those above it, and whether they have a question below their name. */
function above(jobs: readonly Job[], id: number): string | null {
  const place = jobs.findIndex((job) => job.id === id)
  const names = jobs.slice(0, place).map((job) => `${job.id} ${job.interaction?.id}`)
  return place === -1 ? null : names.join()
}
