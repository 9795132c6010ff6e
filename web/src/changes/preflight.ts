import { computed, type Ref } from 'vue'

import { api } from '@/api/client.ts'
import type { Preflight } from '@/api/types.ts'

import { useDebouncedRequest } from './debouncedRequest.ts'

/** The result of checking the chosen changes. */
export interface Check {
  /** The last findings. While a check is running they may belong to other changes. */
  readonly found: Readonly<Ref<Preflight | null>>
  /** Why the changes could not be checked. */
  readonly problem: Readonly<Ref<string | null>>
  /** When the request is repeated automatically. Null if it is not. */
  readonly retryAt: Readonly<Ref<number | null>>
  readonly isChecking: Readonly<Ref<boolean>>
  /** Why a job with these changes needs a confirmation, and what to do. Null while this is unknown. */
  readonly obstacle: Readonly<Ref<string | null>>
  again: () => void
  /** Waits for the result. */
  settled: () => Promise<void>
}

/** Checks the changes whenever they change. */
export function useCheck(changes: () => string[]): Check {
  const { answer, problem, retryAt, isAsking, ask, settled } = useDebouncedRequest(changes, (inputs, signal) =>
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
