import { expect, test } from 'vitest'

import type { Job } from '@/api/types.ts'
import { aPrompt } from '@/state/testing.ts'

import { hasMoved } from './moving.ts'
import { job } from './testing.ts'

const asks = (id: number): Job => job(id, { interaction: aPrompt({ id: id * 1_000_000 + 1 }) })

test.each([
  ['nothing', [job(1), job(2)], [job(1), job(2)], false],
  ['a job that comes last', [job(1)], [job(1), job(2)], false],
  ['the first job', [], [job(1)], false],
  ['a job that comes first', [job(1)], [asks(2), job(1)], true],
  ['the end of the first job', [job(1), job(2)], [job(2)], true],
  ['the end of the last job', [job(1), job(2)], [job(1)], false],
  ['an answer that makes the next question the first', [asks(1), asks(2)], [asks(2), job(1)], true],
  ['an answer above another job', [asks(1), job(2)], [job(1), job(2)], true],
  ['an answer below another job', [job(1), asks(2)], [job(1), job(2)], false],
])('%s: whether that moves a job', (_, before, now, moves) => {
  expect(hasMoved(before, now)).toBe(moves)
})
