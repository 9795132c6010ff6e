import { flushPromises, mount, type VueWrapper } from '@vue/test-utils'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { shallowRef } from 'vue'
import { createMemoryHistory, createRouter, type Router } from 'vue-router'

import { api } from '@/api/client.ts'
import type { Connection, Listener } from '@/api/events.ts'
import { declared, aJob, aPerson, aPrompt, aRunner } from '@/api/testing.ts'
import type { Job, Monitoring, Runner, WhoAmI } from '@/api/types.ts'
import WatchToggle from '@/job/WatchToggle.vue'
import { Live, provideLive } from '@/state/live.ts'
import { provideSession, Session } from '@/state/session.ts'
import { isWatched } from '@/state/watched.ts'

import AppHeader from './AppHeader.vue'
import StatusBanner from './StatusBanner.vue'

const stream = vi.hoisted(() => ({ listener: undefined as Listener | undefined, retryNow: vi.fn() }))

vi.mock('@/api/shared.ts', () => ({
  SharedEvents: class {
    readonly retryNow = stream.retryNow
    constructor(listener: Listener) {
      stream.listener = listener
    }
  },
}))

// The clock of the page starts once, outside of the fake time of each test.
vi.mock('@/ui/clock.ts', () => ({
  useNow: () => {
    const now = shallowRef(Date.now())
    setInterval(() => (now.value = Date.now()), 1000)
    return now
  },
}))

const BROKEN: Connection = { state: 'broken', reason: 'SpiderPig cannot be reached', retryAt: null }

let router: Router
let session: Session
let page: VueWrapper

function told(): Listener {
  if (stream.listener === undefined) {
    throw new Error('nobody listens')
  }
  return stream.listener
}

function begin(runner: Runner = aRunner(), jobs: Job[] = [], monitoring?: Monitoring): void {
  told().connection({ state: 'live' })
  told().heard()
  told().event({ type: 'snapshot', data: { runner, jobs, total: jobs.length, monitoring } }, null)
}

const pass = (milliseconds: number) => vi.advanceTimersByTimeAsync(milliseconds)

function show(component: Parameters<typeof mount>[0], props: Record<string, unknown> = {}): void {
  const live = new Live()
  page = mount(component, {
    attachTo: document.body,
    props,
    global: {
      stubs: { transition: false },
      plugins: [
        router,
        (app) => {
          provideLive(app, live)
          provideSession(app, session)
        },
      ],
    },
  })
}

beforeEach(async () => {
  vi.useFakeTimers({ now: Date.parse('2026-11-24T11:00:00Z') })
  stream.retryNow.mockClear()
  vi.spyOn(api, 'whoami').mockResolvedValue(aPerson())
  vi.spyOn(api, 'jobTypes').mockResolvedValue(
    declared(
      ['backport', 'train'].map((name) => ({
        name,
        title: `The ${name}`,
        help: null,
        lane: 'default',
        retry: true,
        disabled_reason: null,
        params: [],
      })),
    ),
  )
  const component = { template: '<div />' }
  router = createRouter({
    history: createMemoryHistory(),
    routes: [
      { path: '/', name: 'overview', component },
      { path: '/start/:type', name: 'start', component },
      { path: '/runner', name: 'runner', component },
      ...['account', 'admin', 'logout'].map((name) => ({ path: `/${name}`, name, component })),
      { path: '/mediawiki/train', name: 'train', component },
      { path: '/mediawiki/logs', name: 'errors', component },
    ],
  })
  await router.push('/start/backport')
  session = new Session()
  await session.refresh()
})

afterEach(() => {
  page.unmount()
  vi.useRealTimers()
})

describe('the header', () => {
  const runnerLink = () => page.get('a[href="/runner"]')

  const pages = () => page.findAll('nav a').map((link) => [link.text(), link.attributes('href')])

  test('leads to the pages of MediaWiki and to each job type, and says which page this is', async () => {
    show(AppHeader)
    await flushPromises()
    expect(pages()).toEqual([
      ['Train', '/mediawiki/train'],
      ['Errors', '/mediawiki/logs'],
      ['The backport', '/start/backport'],
    ])
    expect(page.findAll('[aria-current="page"]').map((link) => link.text())).toEqual(['The backport'])
  })

  test('says how many errors there are, as soon as that changes', async () => {
    show(AppHeader)
    begin(aRunner(), [], { train: null, mediawiki: { time: 1, total: 1834 } })
    await flushPromises()
    expect(pages()[1]).toEqual(['Errors1,834', '/mediawiki/logs'])
    told().event({ type: 'monitoring', data: { train: null, mediawiki: { time: 2, total: 12_345 } } }, null)
    await flushPromises()
    expect(pages()[1]).toEqual(['Errors12.3K', '/mediawiki/logs'])
  })

  test('has nothing of MediaWiki where nobody tells anything and no train is declared', async () => {
    vi.mocked(api.jobTypes).mockResolvedValue(declared([]))
    await session.refresh()
    show(AppHeader)
    begin(aRunner(), [], { train: null, mediawiki: null })
    await flushPromises()
    expect(pages()).toEqual([])
    told().event({ type: 'monitoring', data: { train: null, mediawiki: { time: 2, total: 0 } } }, null)
    await flushPromises()
    expect(pages()).toEqual([['Errors0', '/mediawiki/logs']])
  })

  test('says how the runner is, and how many jobs ask, whosever they are', async () => {
    show(AppHeader)
    expect(runnerLink().text()).toContain('Job runner: Connecting…')
    begin(aRunner(), [aJob(), aJob({ id: 2, user: 'bob', state: 'waiting', interaction: aPrompt() })])
    await flushPromises()
    expect(runnerLink().text()).toContain('Job runner: Running 2, 1 waiting for an answer')
    begin(aRunner({ paused: 'x'.repeat(400) }))
    await flushPromises()
    expect(runnerLink().attributes('title')).toBe(`Paused: ${'x'.repeat(400)}`)
  })

  test('does not say how the runner is while nobody knows', async () => {
    show(AppHeader)
    begin()
    told().connection(BROKEN)
    await pass(1000)
    expect(runnerLink().text()).toContain('Job runner: Not connected')
  })
})

describe('the banner', () => {
  const messages = () => page.findAll('.cdx-message').map((message) => message.text().replaceAll(/\s+/g, ' '))
  const readOut = () => page.get('[role="status"]').text()

  test('is not there when all is well', async () => {
    show(StatusBanner)
    begin()
    await pass(60_000)
    expect(messages()).toEqual([])
    expect(readOut()).toBe('')
  })

  test('says that it is connecting only if that takes long', async () => {
    show(StatusBanner)
    await pass(999)
    expect(messages()).toEqual([])
    await pass(1)
    expect(messages()).toEqual(['Connecting…'])
  })

  test('says how old everything is, why, and what is done; and that it is over', async () => {
    show(StatusBanner)
    begin()
    await pass(40_000)
    told().connection({ ...BROKEN, retryAt: Date.now() + 4000 } as Connection)
    await pass(2000)
    expect(messages()[0]).toContain('Not connected: the data is 42 s old (as of 11:00:00 UTC).')
    expect(messages()[0]).toContain('SpiderPig cannot be reached. Trying again in 2 s.')
    begin()
    await pass(0)
    expect(messages()).toEqual(['Reconnected.'])
    expect(readOut()).toBe('Reconnected.')
    await pass(5000)
    expect(messages()).toEqual([])
  })

  test('is read out without what changes every second', async () => {
    show(StatusBanner)
    begin()
    told().connection(BROKEN)
    await pass(1000)
    expect(readOut()).toBe('Not connected: SpiderPig cannot be reached.')
    const message = page.get('.cdx-message')
    expect(message.attributes('aria-live')).toBe('off')
    expect(message.attributes('role')).toBe('region')
    await pass(3000)
    expect(readOut()).toBe('Not connected: SpiderPig cannot be reached.')
  })

  test('tries again when it is told to', async () => {
    show(StatusBanner)
    told().connection(BROKEN)
    await pass(1000)
    expect(messages()[0]).toContain('Not connected: no data yet.')
    await page.get('button').trigger('click')
    expect(stream.retryNow).toHaveBeenCalledOnce()
  })

  test('says that no job starts, and why', async () => {
    show(StatusBanner)
    begin(aRunner({ up: false, paused: 'lunch (bob)' }))
    await pass(0)
    expect(messages()).toHaveLength(1)
    expect(messages()[0]).toContain('The job runner is not running, so no new jobs start. Running jobs continue')
    begin(aRunner({ paused: 'lunch (bob)' }))
    await pass(0)
    expect(messages()).toHaveLength(1)
    expect(messages()[0]).toContain('Paused: no new jobs start. lunch (bob)')
  })

  test('says that nobody knows who this is, and asks again when it is told to', async () => {
    vi.mocked(api.whoami).mockRejectedValueOnce(new Error('The server answered 500'))
    await session.refresh()
    show(StatusBanner)
    begin()
    await pass(0)
    expect(messages()[0]).toContain('The server answered 500')
    await page.get('button').trigger('click')
    await flushPromises()
    expect(messages()).toEqual([])
  })
})

describe('the menu', () => {
  const NOBODY: WhoAmI = { user: null, mode: 'local' }

  async function openMenu(who: WhoAmI): Promise<string[]> {
    vi.mocked(api.whoami).mockResolvedValue(who)
    session.end()
    await session.refresh()
    show(AppHeader)
    await flushPromises()
    await page.get('.popover-button:last-of-type').trigger('click')
    await flushPromises()
    return [...document.querySelectorAll('.user-menu__links a')].map((link) => link.textContent.trim())
  }

  // The box is at the end of the document.
  const said = () => document.querySelector('.user-menu__settings')?.textContent.replaceAll(/\s+/g, ' ') ?? ''

  test.each<[WhoAmI, string[], string]>([
    [
      aPerson({ isAdmin: true }),
      ['My account', 'Administration', 'Sign out'],
      'You are an admin and can do everything.',
    ],
    [aPerson(), ['My account', 'Sign out'], 'You can start and answer jobs.'],
    [aPerson({ mayStart: false }), ['My account', 'Sign out'], 'You can view jobs, but not start or answer them.'],
    [aPerson({ mode: 'none' }), ['My account'], 'Signed in as alice.'],
    [aPerson({ secondFactor: 'code' }), ['Sign out'], 'Signed in as alice.'],
    [NOBODY, [], 'Not signed in.'],
  ])('says who one is and leads to what is theirs: %#', async (who, links, words) => {
    expect(await openMenu(who)).toEqual(links)
    expect(said()).toContain(words)
  })

  test('is all that the header has for who is not let in', async () => {
    await openMenu(NOBODY)
    expect([page.find('nav').exists(), page.find('a[href="/runner"]').exists()]).toEqual([false, false])
    expect(said()).toContain('Theme')
    expect(said()).not.toContain('Notifications')
  })
})

describe('the toggle', () => {
  test('watches a job of others', async () => {
    const job = aJob({ id: 77, user: 'bob' })
    show(WatchToggle, { job })
    const button = page.get('button')
    expect(button.attributes('aria-pressed')).toBe('false')
    await button.trigger('click')
    expect(button.attributes('aria-pressed')).toBe('true')
    expect(isWatched(job, 'alice')).toBe(true)
    await button.trigger('click')
    expect(isWatched(job, 'alice')).toBe(false)
  })

  test('is on for an own job, and can be switched off', async () => {
    const job = aJob({ id: 78, user: 'alice' })
    show(WatchToggle, { job })
    const button = page.get('button')
    expect(button.attributes('aria-pressed')).toBe('true')
    await button.trigger('click')
    expect(button.attributes('aria-pressed')).toBe('false')
    expect(isWatched(job, 'alice')).toBe(false)
  })

  test('is none for a job that has ended', () => {
    show(WatchToggle, { job: aJob({ user: 'bob', state: 'failed' }) })
    expect(page.text()).toBe('')
  })
})
