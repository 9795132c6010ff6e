import { mount, type VueWrapper } from '@vue/test-utils'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createMemoryHistory, createRouter, type Router } from 'vue-router'

import { api } from '@/api/client.ts'
import type { Listener } from '@/api/events.ts'
import { declared, aJob, aPerson, aPrompt, aRunner } from '@/api/testing.ts'
import type { Job } from '@/api/types.ts'
import { titlePrefix } from '@/ui/title.ts'

import { endBody, endTitle, lastLines, useAlerts } from './alerts.ts'
import { Live, provideLive } from './live.ts'
import { wantNotifications } from './notifications.ts'
import { provideSession, Session } from './session.ts'
import { play, wantsSound } from './sound.ts'
import { setWatched } from './watched.ts'

const stream = vi.hoisted(() => ({ listener: undefined as Listener | undefined }))

vi.mock('@/api/shared.ts', () => ({
  SharedEvents: class {
    readonly start = () => undefined
    constructor(listener: Listener) {
      stream.listener = listener
    }
  },
}))

vi.mock(import('./sound.ts'), async (original) => ({
  ...(await original()),
  canPlay: () => true,
  play: vi.fn(() => Promise.resolve()),
}))

/** The notifications that were shown. */
class FakeNotification {
  static permission: NotificationPermission = 'default'
  static readonly requestPermission = vi.fn<() => Promise<NotificationPermission>>(() => {
    FakeNotification.permission = 'granted'
    return Promise.resolve(FakeNotification.permission)
  })
  static all: FakeNotification[] = []
  onclick: (() => void) | null = null
  readonly close = vi.fn()

  constructor(
    readonly title: string,
    readonly options: NotificationOptions,
  ) {
    FakeNotification.all.push(this)
  }
}

const titles = () => FakeNotification.all.map(({ title }) => title)
const icon = () => document.querySelector('link[rel="icon"]')?.getAttribute('href')

let page: VueWrapper
let router: Router

function told(): Listener {
  if (stream.listener === undefined) {
    throw new Error('nobody listens')
  }
  return stream.listener
}

/** Waits for the head start of a visible tab to pass. */
const settle = () => vi.advanceTimersByTimeAsync(300)

async function begin(...jobs: Job[]): Promise<void> {
  told().event({ type: 'snapshot', data: { runner: aRunner(), jobs, total: jobs.length } }, null)
  await settle()
}

async function tell(job: Job): Promise<void> {
  told().event({ type: 'job', data: job }, null)
  await settle()
}

/** Opens the page for a user. */
async function open(path = '/'): Promise<void> {
  vi.spyOn(api, 'whoami').mockResolvedValue(aPerson())
  vi.spyOn(api, 'jobTypes').mockResolvedValue(declared([]))
  const component = { template: '<div />' }
  router = createRouter({
    history: createMemoryHistory(),
    routes: [
      { path: '/', component },
      { path: '/jobs/:id', name: 'job', component },
    ],
  })
  await router.push(path)
  const session = new Session()
  await session.refresh()
  const live = new Live()
  page = mount(
    { render: () => null, setup: useAlerts },
    {
      global: {
        plugins: [
          router,
          (app) => {
            provideLive(app, live)
            provideSession(app, session)
          },
        ],
      },
    },
  )
}

const asks = (id: number, job: Partial<Job> = {}) =>
  aJob({ id, state: 'waiting', interaction: aPrompt({ id: id * 1_000_000 + 1, job_id: id }), ...job })

beforeEach(async () => {
  vi.useFakeTimers()
  localStorage.clear()
  const link = document.createElement('link')
  link.rel = 'icon'
  link.setAttribute('href', '/favicon.ico')
  document.head.append(link)
  FakeNotification.all = []
  FakeNotification.permission = 'granted'
  vi.stubGlobal('Notification', FakeNotification)
  vi.mocked(play).mockClear()
  vi.spyOn(document, 'hasFocus').mockReturnValue(false)
  await wantNotifications(true)
  wantsSound.value = true
})

afterEach(() => {
  page.unmount()
  document.head.replaceChildren()
  vi.unstubAllGlobals()
  vi.useRealTimers()
})

/** Each test has its own job, as each notification is shown once. */
let number = 100
beforeEach(() => {
  number += 10
})

describe('a prompt of a job of this person', () => {
  test('is in the title and the icon until it is answered', async () => {
    await open()
    await begin(asks(number), asks(number + 1), asks(number + 2, { user: 'bob' }))
    expect(titlePrefix.value).toBe('(2) ❓ ')
    expect(icon()).toContain('favicon-alert')
    await tell(aJob({ id: number }))
    expect(titlePrefix.value).toBe('(1) ❓ ')
    told().event({ type: 'removed', data: { id: number + 1 } }, null)
    await settle()
    expect(titlePrefix.value).toBe('')
    expect(icon()).toBe('/favicon.ico')
  })

  test('is notified of once, with its last lines, and heard once', async () => {
    await open()
    await begin(aJob({ id: number }))
    await tell(asks(number))
    await tell(asks(number, { status: { status: 'Waiting', progress: null } }))
    await begin(asks(number))
    expect(titles()).toEqual([`Job ${number} asks`])
    expect(FakeNotification.all[0]?.options).toMatchObject({
      body: 'Backport the changes? [y/N]:',
      requireInteraction: true,
    })
    expect(play).toHaveBeenCalledOnce()
    expect(play).toHaveBeenCalledWith('question')
  })

  test('is told of if it was open before the page was', async () => {
    await open()
    await begin(asks(number))
    expect(titles()).toEqual([`Job ${number} asks`])
  })

  test('is not told of again after a reload', async () => {
    await open()
    await begin(asks(number))
    page.unmount()
    await open()
    await begin(asks(number))
    expect(titles()).toHaveLength(1)
    expect(titlePrefix.value).toBe('(1) ❓ ')
  })

  test('is told of again if the spool is another one, with the same numbers', async () => {
    await open()
    await begin(asks(number))
    await begin(asks(number, { queued_at: 2000 }))
    expect(titles()).toHaveLength(2)
  })

  test('takes its notification with it when it is answered, wherever that was', async () => {
    await open()
    await begin(asks(number), asks(number + 1))
    await tell(asks(number, { interaction: aPrompt({ id: number * 1_000_000 + 2, job_id: number }) }))
    const [first, other, second] = FakeNotification.all
    expect(first?.close).toHaveBeenCalledOnce()
    expect(other?.close).not.toHaveBeenCalled()
    expect(second?.title).toBe(`Job ${number} asks`)
    // It ended while the connection was broken.
    await begin(asks(number + 1))
    expect(second?.close).toHaveBeenCalledOnce()
  })

  test('that is answered at once is not told of', async () => {
    await open()
    await begin(aJob({ id: number }))
    told().event({ type: 'job', data: asks(number) }, null)
    told().event({ type: 'job', data: aJob({ id: number }) }, null)
    await settle()
    expect(titles()).toEqual([])
  })

  test('leads to the job', async () => {
    await open()
    await begin(asks(number))
    FakeNotification.all[0]?.onclick?.()
    await settle()
    expect(router.currentRoute.value.path).toBe(`/jobs/${number}`)
  })

  test('is only heard by who looks at the job', async () => {
    vi.mocked(document.hasFocus).mockReturnValue(true)
    await open(`/jobs/${number}`)
    await begin(aJob({ id: number }), aJob({ id: number + 1 }))
    told().event({ type: 'job', data: asks(number) }, null)
    await vi.advanceTimersByTimeAsync(0)
    expect(play).toHaveBeenCalledOnce()
    await tell(asks(number + 1))
    expect(titles()).toEqual([`Job ${number + 1} asks`])
  })

  test('has no notification without its tab', async () => {
    await open()
    await begin(asks(number))
    window.dispatchEvent(new Event('pagehide'))
    expect(FakeNotification.all[0]?.close).toHaveBeenCalledOnce()
  })
})

describe('a job that others started', () => {
  test('is told of if it is watched, from then on', async () => {
    await open()
    await begin(asks(number, { user: 'bob' }))
    expect(titlePrefix.value).toBe('')
    setWatched(asks(number, { user: 'bob' }), 'alice', true)
    await settle()
    expect(titlePrefix.value).toBe('(1) ❓ ')
    expect(titles()).toEqual([`Job ${number} asks`])
    setWatched(asks(number, { user: 'bob' }), 'alice', false)
    await settle()
    expect(titlePrefix.value).toBe('')
    expect(FakeNotification.all[0]?.close).toHaveBeenCalledOnce()
  })
})

describe('a job of this person that prints nothing', () => {
  const quiet = (since: number) => aJob({ id: number, quiet_since: since })

  test('is told of once for each silence, until that is over', async () => {
    await open()
    await begin(aJob({ id: number }))
    await tell(quiet(1500))
    await tell({ ...quiet(1500), status: { status: 'Syncing', progress: null } })
    expect(titles()).toEqual([`Job ${number} has no output`])
    expect(FakeNotification.all[0]?.options.body).toMatch(/No output since .*00:25:00 UTC.* did not stop it/)
    await tell(aJob({ id: number }))
    expect(FakeNotification.all[0]?.close).toHaveBeenCalledOnce()
    await tell(quiet(2500))
    expect(titles()).toHaveLength(2)
    expect(titlePrefix.value).toBe('')
  })

  test('is told of no more when it has ended', async () => {
    await open()
    await begin(quiet(1500))
    await tell(aJob({ id: number, state: 'failed', running: false }))
    expect(FakeNotification.all[0]?.close).toHaveBeenCalledOnce()
  })

  test('is not told of to who does not want to know of it', async () => {
    setWatched(quiet(1500), 'alice', false)
    await open()
    await begin(quiet(1500))
    await tell(asks(number))
    await tell(aJob({ id: number, state: 'failed', running: false }))
    expect(titles()).toEqual([])
    expect(titlePrefix.value).toBe('')
  })
})

describe('the end of a job', () => {
  const failed = (id: number) => aJob({ id, state: 'failed', exit_status: 3, running: false })

  test('is told of once', async () => {
    await open()
    await begin(aJob({ id: number }))
    await tell(failed(number))
    await tell(failed(number))
    await begin(failed(number))
    expect(titles()).toEqual([`Job ${number} failed`])
    expect(play).toHaveBeenCalledOnce()
    expect(play).toHaveBeenCalledWith('end')
  })

  test('is no news if it was before the page was opened', async () => {
    await open()
    await begin(failed(number))
    await tell(failed(number))
    // An old job that the page did not know.
    await tell(failed(number - 1))
    expect(titles()).toEqual([])
  })

  test('is told of if it came while the connection was broken', async () => {
    await open()
    await begin(aJob({ id: number }))
    await begin(failed(number))
    expect(titles()).toHaveLength(1)
  })

  test('is told of if the job was so quick that nothing else was told of it', async () => {
    await open()
    await begin(aJob({ id: number }))
    await tell(failed(number + 1))
    expect(titles()).toEqual([`Job ${number + 1} failed`])
  })

  test('of a job of others is not told of', async () => {
    await open()
    await begin(aJob({ id: number, user: 'bob' }))
    await tell({ ...failed(number), user: 'bob' })
    expect(titles()).toEqual([])
  })
})

describe('nothing is told', () => {
  test('to who does not want it', async () => {
    await wantNotifications(false)
    wantsSound.value = false
    await open()
    await begin(asks(number))
    expect(titles()).toEqual([])
    expect(play).not.toHaveBeenCalled()
    expect(titlePrefix.value).toBe('(1) ❓ ')
  })

  test('but by sound if the browser blocks notifications', async () => {
    FakeNotification.requestPermission.mockImplementationOnce(() => {
      FakeNotification.permission = 'denied'
      return Promise.resolve('denied')
    })
    await wantNotifications(true)
    await open()
    await begin(asks(number))
    expect(titles()).toEqual([])
    expect(play).toHaveBeenCalledOnce()
  })
})

test.each([
  [{ state: 'succeeded', outcome: 'succeeded' }, 'Job 12 succeeded', 'Backport by alice'],
  [
    { state: 'succeeded', outcome: 'rolled_back', outcome_by: 'bob' },
    'Job 12 rolled back',
    'by bob\nBackport by alice',
  ],
  [
    { state: 'failed', outcome: 'failed', exit_status: 3, last_error: { recno: 7, line: '  fatal: no space\n' } },
    'Job 12 failed',
    'exit status 3\nfatal: no space\nBackport by alice',
  ],
  [{ state: 'rejected', reason: 'no such type' }, 'Job 12 rejected', 'no such type\nBackport by alice'],
] as const)('the end of %j is %j, and why', (job, title, body) => {
  expect(endTitle(aJob({ id: 12, ...job }))).toBe(title)
  expect(endBody(aJob(job), 'Backport')).toBe(body)
})

test.each([
  ['Go on? ', 'Go on?'],
  ['┌───┬──────┐\n│ a │ b  c │\n└───┴──────┘\nGo on? [y/N]: ', 'a b c\nGo on? [y/N]:'],
  ['one\ntwo\n\nthree\n  four', 'two\nthree\nfour'],
  ['\u001b[1;31mDanger\u001b[0m\n\u001b]8;;https://a.b\u0007link\u001b]8;;\u0007', 'Danger\nlink'],
  ['', ''],
])('the last lines of %j are %j', (prompt, lines) => {
  expect(lastLines(prompt)).toBe(lines)
})
