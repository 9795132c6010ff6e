import { computed, type Ref } from 'vue'

import { api } from '@/api/client.ts'
import type { Preflight } from '@/api/types.ts'

import { useLatest } from './latest.ts'

/** What speaks against deploying the changes that somebody has chosen. */
export interface Check {
  /** The last findings, which may be about other changes as long as it is being checked. */
  readonly found: Readonly<Ref<Preflight | null>>
  /** Why the changes could not be checked. */
  readonly problem: Readonly<Ref<string | null>>
  /** When that is tried again by itself. Null if it is not. */
  readonly retryAt: Readonly<Ref<number | null>>
  readonly isChecking: Readonly<Ref<boolean>>
  /** Why a job with these changes is not to be started just like that, and what to do, in words. Null as long as that is not known. */
  readonly obstacle: Readonly<Ref<string | null>>
  again: () => void
  /** Waits until it is known. */
  settled: () => Promise<void>
}

/** Checks the changes whenever others are chosen. Without changes there is nothing to check. */
export function useCheck(changes: () => string[]): Check {
  const { answer, problem, retryAt, isAsking, ask, settled } = useLatest(changes, (inputs, signal) =>
    api.preflight(inputs, signal),
  )
  const obstacle = computed(() => {
    if (isAsking.value || changes().length === 0) {
      return null
    }
    if (problem.value !== null) {
      return UNCHECKED
    }
    return answer.value === null || answer.value.ready ? null : obstacleIn(answer.value)
  })
  return {
    found: answer,
    problem: computed(() => problem.value ?? answer.value?.problem ?? null),
    retryAt,
    isChecking: isAsking,
    obstacle,
    again: ask,
    settled,
  }
}

function obstacleIn({ problem, changes }: Preflight): string {
  const count = changes.flatMap(({ blockers }) => blockers).length
  if (count === 0 && problem !== null) {
    return UNCHECKED
  }
  const sum = count > 1 ? `The check found ${count} blockers.` : 'The check found a blocker.'
  return `${sum} Fix this and check again, or start anyway.`
}

const UNCHECKED = 'The changes could not be checked. Check again, or start anyway.'
