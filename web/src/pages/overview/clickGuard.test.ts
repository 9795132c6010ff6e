import { expect, test } from 'vitest'

import type { Job } from '@/api/types.ts'
import { aPrompt, aQueuedJob } from '@/api/testing.ts'

import { hasMoved } from './clickGuard.ts'

const asks = (id: number): Job => aQueuedJob(id, { interaction: aPrompt({ id: id * 1_000_000 + 1 }) })

test.each([
  ['nothing', [aQueuedJob(1), aQueuedJob(2)], [aQueuedJob(1), aQueuedJob(2)], false],
  ['a job that comes last', [aQueuedJob(1)], [aQueuedJob(1), aQueuedJob(2)], false],
  ['the first job', [], [aQueuedJob(1)], false],
  ['a job that comes first', [aQueuedJob(1)], [asks(2), aQueuedJob(1)], true],
  ['the end of the first job', [aQueuedJob(1), aQueuedJob(2)], [aQueuedJob(2)], true],
  ['the end of the last job', [aQueuedJob(1), aQueuedJob(2)], [aQueuedJob(1)], false],
  ['an answer that makes the next question the first', [asks(1), asks(2)], [asks(2), aQueuedJob(1)], true],
  ['an answer above another job', [asks(1), aQueuedJob(2)], [aQueuedJob(1), aQueuedJob(2)], true],
  ['an answer below another job', [aQueuedJob(1), asks(2)], [aQueuedJob(1), aQueuedJob(2)], false],
])('%s: whether that moves a job', (_, before, now, moves) => {
  expect(hasMoved(before, now)).toBe(moves)
})
