import { computed, readonly, shallowRef, type ComputedRef, type Ref } from 'vue'

import { ApiError, reasonOf } from '@/api/client.ts'
import { serverTime } from '@/api/serverTime.ts'
import { useNow } from './clock.ts'
import { formatDuration, formatTime } from '@/text/time.ts'

export interface Attempt {
  isBusy: Readonly<Ref<boolean>>
  /** Why the last attempt failed. Screen readers announce it once. */
  failure: Readonly<Ref<string | null>>
  /** When to try again, and in how long, if the API said so. Changes every second. */
  wait: ComputedRef<string | null>
  /**
   * Performs an action, unless another one is under way. Returns whether it succeeded. `refused` runs after a failure,
   * before the message is shown: it clears a code that never works again, so that the next one can be typed at once.
   */
  perform: (action: () => Promise<void>, refused?: () => void) => Promise<boolean>
  forget: () => void
}

/** Performs actions that the API may refuse, and keeps the reason. */
export function useAttempt(): Attempt {
  const now = useNow()
  const isBusy = shallowRef(false)
  const failure = shallowRef<string | null>(null)
  /** In milliseconds since the epoch. */
  const again = shallowRef<number | null>(null)

  async function perform(action: () => Promise<void>, refused?: () => void): Promise<boolean> {
    if (isBusy.value) {
      return false
    }
    isBusy.value = true
    forget()
    try {
      await action()
      return true
    } catch (error) {
      refused?.()
      tell(error)
      return false
    } finally {
      isBusy.value = false
    }
  }

  function tell(error: unknown): void {
    const seconds = error instanceof ApiError ? error.retryAfter : null
    failure.value = `${reasonOf(error).replace(/[.\s]+$/u, '')}.`
    again.value = seconds === null ? null : serverTime() + seconds * 1000
  }

  function forget(): void {
    failure.value = null
    again.value = null
  }

  const wait = computed(() => {
    if (again.value === null) {
      return null
    }
    const left = Math.ceil((again.value - now.value) / 1000)
    const time = formatTime(again.value / 1000, now.value)
    return left > 0 ? `You can try again at ${time} UTC, in ${formatDuration(left)}.` : 'You can try again now.'
  })

  return { isBusy: readonly(isBusy), failure: readonly(failure), wait, perform, forget }
}
