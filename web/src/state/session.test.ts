import { expect, test, vi } from 'vitest'

import { api } from '@/api/client.ts'
import type { JobType } from '@/api/types.ts'

import { Session } from './session.ts'
import { aPerson } from './testing.ts'

const BACKPORT: JobType = {
  name: 'backport',
  title: 'MediaWiki backport',
  help: null,
  lane: 'mediawiki',
  retry: true,
  disabled_reason: null,
  params: [],
}

test('who this is and what may be started is known together', async () => {
  vi.spyOn(api, 'whoami').mockResolvedValue(aPerson())
  vi.spyOn(api, 'jobTypes').mockResolvedValue([BACKPORT])
  const session = new Session()
  expect([session.who.value, session.jobTypes.value]).toEqual([null, null])
  await session.refresh()
  expect(session.who.value?.user).toBe('alice')
  expect(session.titleOf('backport')).toBe('MediaWiki backport')
  expect(session.titleOf('gone')).toBe('gone')
})

test('a failure is told, keeps what was known, and is over with the next answer', async () => {
  vi.spyOn(api, 'whoami').mockResolvedValue(aPerson())
  const jobTypes = vi.spyOn(api, 'jobTypes').mockResolvedValue([BACKPORT])
  const session = new Session()
  await session.refresh()
  jobTypes.mockRejectedValueOnce(new Error('SpiderPig cannot be reached'))
  await session.refresh()
  expect(session.problem.value).toBe('SpiderPig cannot be reached')
  expect(session.jobType('backport')).toEqual(BACKPORT)
  await session.refresh()
  expect(session.problem.value).toBeNull()
})

test('what failed is asked for again until it is known', async () => {
  vi.useFakeTimers()
  vi.spyOn(api, 'whoami').mockResolvedValue(aPerson())
  const jobTypes = vi
    .spyOn(api, 'jobTypes')
    .mockRejectedValueOnce(new Error('no'))
    .mockRejectedValueOnce(new Error('no'))
  jobTypes.mockResolvedValue([BACKPORT])
  const session = new Session()
  await session.refresh()
  await vi.advanceTimersByTimeAsync(5000)
  expect(session.problem.value).toBe('no')
  await vi.advanceTimersByTimeAsync(5000)
  expect(session.problem.value).toBeNull()
  await vi.advanceTimersByTimeAsync(60_000)
  expect(jobTypes).toHaveBeenCalledTimes(3)
  vi.useRealTimers()
})

test('the answer to an earlier question does not count after that to a later one', async () => {
  let answerLate: (types: JobType[]) => void = () => undefined
  vi.spyOn(api, 'whoami').mockResolvedValue(aPerson())
  vi.spyOn(api, 'jobTypes')
    .mockReturnValueOnce(new Promise((resolve) => (answerLate = resolve)))
    .mockResolvedValueOnce([BACKPORT])
  const session = new Session()
  const first = session.refresh()
  await vi.waitFor(() => expect(api.jobTypes).toHaveBeenCalledOnce())
  await session.refresh()
  answerLate([])
  await first
  expect(session.jobType('backport')).toEqual(BACKPORT)
})
