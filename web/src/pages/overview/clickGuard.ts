import { onScopeDispose, readonly, shallowRef, watch, type Ref } from 'vue'

import type { Job } from '@/api/types.ts'
import { GUARD_TIME } from '@/job/prompt.ts'

/**
 * Ignores clicks on jobs that have just moved, because they may be meant for the job that was there before. So an
 * answer to one job, or the second half of a double click, does not answer the next one.
 */
export function useClickGuard(jobs: Readonly<Ref<readonly Job[]>>): {
  isMoving: Readonly<Ref<boolean>>
  /** Says that a click was ignored, until the next click. */
  announcement: Readonly<Ref<string>>
  /** Handles each click before the jobs do. */
  guardClick: (click: MouseEvent) => void
} {
  const isMoving = shallowRef(false)
  const announcement = shallowRef('')
  let timer: ReturnType<typeof setTimeout> | undefined

  watch(jobs, (now, before) => {
    if (hasMoved(before, now)) {
      isMoving.value = true
      clearTimeout(timer)
      timer = setTimeout(() => (isMoving.value = false), GUARD_TIME)
    }
  })
  onScopeDispose(() => clearTimeout(timer))

  function guardClick(click: MouseEvent): void {
    // A click by keyboard has no position, and is meant for the focused element.
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

/** Whether a job has moved, judged by what is above it. */
export function hasMoved(before: readonly Job[], now: readonly Job[]): boolean {
  return now.some(({ id }) => {
    const was = above(before, id)
    return was !== null && was !== above(now, id)
  })
}

/** What determines the position of a job: the jobs above it, and whether they show a question. */
function above(jobs: readonly Job[], id: number): string | null {
  const place = jobs.findIndex((job) => job.id === id)
  const names = jobs.slice(0, place).map((job) => `${job.id} ${job.interaction?.id}`)
  return place === -1 ? null : names.join()
}
