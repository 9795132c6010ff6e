import { watch } from 'vue'

import { useResource, type Resource } from '@/ui/resource.ts'

import type { Live } from './live.ts'

/** A resource that other programs report. It is loaded again whenever the stream announces a new report. */
export function useReported<T>(
  question: (signal: AbortSignal) => Promise<T>,
  live: Pick<Live, 'monitoring'>,
): Resource<T> {
  const resource = useResource(question)
  watch(live.monitoring, resource.load)
  return resource
}
