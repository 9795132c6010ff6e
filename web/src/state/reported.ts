import { watch } from 'vue'

import { useResource, type Resource } from '@/ui/resource.ts'

import type { Live } from './live.ts'

/** What other programs report. It is asked for anew whenever this tab is told that there is something: at a change. */
export function useReported<T>(
  question: (signal: AbortSignal) => Promise<T>,
  live: Pick<Live, 'monitoring'>,
): Resource<T> {
  const resource = useResource(question)
  watch(live.monitoring, resource.load)
  return resource
}
