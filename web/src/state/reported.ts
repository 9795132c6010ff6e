import { watch } from 'vue'

import type { Live } from './live.ts'
import { useAnswer, type Answer } from '@/ui/answer.ts'

/** What other programs report. It is asked for anew whenever this tab is told that there is something: at a change. */
export function useReported<T>(
  question: (signal: AbortSignal) => Promise<T>,
  live: Pick<Live, 'monitoring'>,
): Answer<T> {
  const answer = useAnswer(question)
  watch(live.monitoring, answer.ask)
  return answer
}
