import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'

import { api, ApiError } from '@/api/client.ts'
import { declared, aPerson } from '@/api/testing.ts'
import type { JobType, WhoAmI } from '@/api/types.ts'

import { Session, accessOf } from './session.ts'

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
  vi.spyOn(api, 'jobTypes').mockResolvedValue(declared([BACKPORT]))
  const session = new Session()
  expect([session.who.value, session.jobTypes.value]).toEqual([null, null])
  await session.refresh()
  expect(session.who.value?.user).toBe('alice')
  expect(session.titleOf('backport')).toBe('MediaWiki backport')
  expect(session.titleOf('gone')).toBe('gone')
})

test('a failure is told, keeps what was known, and is over with the next answer', async () => {
  vi.spyOn(api, 'whoami').mockResolvedValue(aPerson())
  const jobTypes = vi.spyOn(api, 'jobTypes').mockResolvedValue(declared([BACKPORT]))
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
  jobTypes.mockResolvedValue(declared([BACKPORT]))
  const session = new Session()
  await session.refresh()
  await vi.advanceTimersByTimeAsync(1000)
  expect(session.problem.value).toBe('no')
  await vi.advanceTimersByTimeAsync(5000)
  expect(session.problem.value).toBeNull()
  await vi.advanceTimersByTimeAsync(60_000)
  expect(jobTypes).toHaveBeenCalledTimes(3)
  vi.useRealTimers()
})

test('the answer to an earlier question does not count after that to a later one', async () => {
  let answerLate: (answer: ReturnType<typeof declared>) => void = () => undefined
  vi.spyOn(api, 'whoami').mockResolvedValue(aPerson())
  vi.spyOn(api, 'jobTypes')
    .mockReturnValueOnce(new Promise((resolve) => (answerLate = resolve)))
    .mockResolvedValueOnce(declared([BACKPORT]))
  const session = new Session()
  const first = session.refresh()
  await vi.waitFor(() => expect(api.jobTypes).toHaveBeenCalledOnce())
  await session.refresh()
  answerLate(declared([]))
  await first
  expect(session.jobType('backport')).toEqual(BACKPORT)
})

const NOBODY: WhoAmI = { user: null, mode: 'local', loginUrl: '/api/login' }

test.each<[WhoAmI | null, string]>([
  [null, 'unknown'],
  [NOBODY, 'signed out'],
  [aPerson({ secondFactor: 'code', isAuthorized: false }), 'code'],
  [aPerson({ secondFactor: 'enrol' }), 'enrol'],
  [aPerson({ isAuthorized: false }), 'unauthorized'],
  [{ user: 'alice' }, 'unauthorized'],
  [aPerson({ mayStart: false }), 'granted'],
  [aPerson({ secondFactor: 'off' }), 'granted'],
])('how far somebody is let in is what the API says: %#', (who, access) => expect(accessOf(who)).toBe(access))

test('who is not let in is not asked what they may start', async () => {
  vi.spyOn(api, 'whoami').mockResolvedValue(NOBODY)
  const jobTypes = vi.spyOn(api, 'jobTypes').mockResolvedValue(declared([]))
  const session = new Session()
  await session.refresh()
  await session.known
  expect(jobTypes).not.toHaveBeenCalled()
  expect([session.hasAccess.value, session.hadAccess.value, session.problem.value]).toEqual([false, false, null])
})

describe('who is not let in any more', () => {
  const refusal = new ApiError('Your session was ended by an admin', 401, { code: 'needauth' })
  let session: Session

  const becomes = (who: WhoAmI) => vi.mocked(api.whoami).mockResolvedValue(who)

  beforeEach(async () => {
    vi.useFakeTimers()
    vi.spyOn(api, 'whoami').mockResolvedValue(aPerson())
    vi.spyOn(api, 'jobTypes').mockResolvedValue(declared([BACKPORT]))
    session = new Session()
    await session.refresh()
  })

  afterEach(() => vi.useRealTimers())

  test('keeps what they see, and is told why', async () => {
    becomes(NOBODY)
    await session.refused(refusal)
    expect(session.accessLost.value).toBe('Your session was ended by an admin')
    expect([session.access.value, session.hasAccess.value, session.hadAccess.value]).toEqual([
      'signed out',
      false,
      true,
    ])
    expect([session.who.value?.user, session.mayStart.value]).toEqual(['alice', true])
    expect(session.jobType('backport')).toEqual(BACKPORT)
  })

  test('is told a reason also if nothing was refused', async () => {
    becomes(aPerson({ isAuthorized: false }))
    await session.refresh()
    expect(session.accessLost.value).toBe('You are no longer in a group that has access to SpiderPig')
  })

  test('is in again as soon as they have signed in somewhere', async () => {
    becomes(NOBODY)
    await session.refused(refusal)
    becomes(aPerson({ user: 'bob' }))
    await session.refresh()
    expect([session.accessLost.value, session.hasAccess.value, session.who.value?.user]).toEqual([null, true, 'bob'])
  })

  test('is asked about once, however much is refused', async () => {
    vi.mocked(api.whoami).mockClear()
    becomes(NOBODY)
    await Promise.all([session.refused(refusal), session.refused(refusal)])
    await session.refused(refusal)
    expect(api.whoami).toHaveBeenCalledOnce()
  })

  test('is believed to be in once, and then what was refused is', async () => {
    await session.refused(refusal)
    expect([session.accessLost.value, session.confirmations.value]).toEqual([null, 1])
    await session.refused(refusal)
    expect([session.accessLost.value, session.confirmations.value]).toEqual(['Your session was ended by an admin', 1])
    await session.refresh()
    expect(session.accessLost.value).toBeNull()
    await vi.advanceTimersByTimeAsync(10_000)
    await session.refused(refusal)
    expect([session.accessLost.value, session.confirmations.value]).toEqual([null, 2])
  })

  test('is told so when that can be found out', async () => {
    vi.mocked(api.whoami).mockRejectedValueOnce(new Error('SpiderPig cannot be reached'))
    await session.refused(refusal)
    expect([session.accessLost.value, session.hasAccess.value]).toEqual([null, true])
    becomes(NOBODY)
    await vi.advanceTimersByTimeAsync(5000)
    expect(session.accessLost.value).toBe('Your session was ended by an admin')
  })

  test('leaves what they saw when they go', async () => {
    becomes(NOBODY)
    await session.refused(refusal)
    session.leave()
    expect([session.accessLost.value, session.hadAccess.value, session.jobTypes.value]).toEqual([null, false, null])
    expect(session.who.value).toEqual(NOBODY)
  })

  test('is nobody after signing out, and it is still known how to sign in', () => {
    session.end()
    expect([session.access.value, session.accessLost.value, session.hadAccess.value]).toEqual([
      'signed out',
      null,
      false,
    ])
    expect(session.who.value).toEqual({ user: null, mode: 'local' })
  })
})
