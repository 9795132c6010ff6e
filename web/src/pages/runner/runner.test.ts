import { flushPromises, mount, type VueWrapper } from '@vue/test-utils'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createMemoryHistory, createRouter } from 'vue-router'

import { api, ApiError } from '@/api/client.ts'
import type { Listener } from '@/api/events.ts'
import type { Job, Runner } from '@/api/types.ts'
import { Live, provideLive } from '@/state/live.ts'
import { provideSession, Session } from '@/state/session.ts'
import { declared, aJob, aPerson, aRunner } from '@/api/testing.ts'

import RunnerPage from './RunnerPage.vue'

const stream = vi.hoisted(() => ({ listener: undefined as Listener | undefined }))

vi.mock('@/api/shared.ts', () => ({
  SharedEvents: class {
    readonly start = () => undefined
    constructor(listener: Listener) {
      stream.listener = listener
    }
  },
}))

let page: VueWrapper

const text = () => page.text().replaceAll(/\s+/g, ' ')
const button = (name: string) => page.findAll('button').find((one) => one.text() === name)

async function tell(runner: Runner, jobs: Job[] = []): Promise<void> {
  stream.listener?.event({ type: 'snapshot', data: { runner, jobs, total: jobs.length } }, null)
  await flushPromises()
}

async function open(isAdmin = true): Promise<void> {
  vi.spyOn(api, 'whoami').mockResolvedValue(aPerson({ isAdmin }))
  vi.spyOn(api, 'jobTypes').mockResolvedValue(declared([]))
  const session = new Session()
  await session.refresh()
  const live = new Live()
  const component = { template: '<div />' }
  const router = createRouter({
    history: createMemoryHistory(),
    routes: [
      { path: '/', name: 'overview', component },
      { path: '/jobs/:id', name: 'job', component },
    ],
  })
  page = mount(RunnerPage, {
    attachTo: document.body,
    global: {
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

beforeEach(() => open())
afterEach(() => page.unmount())

describe('the page of the runner', () => {
  test('says that nothing is known yet, and that none has ever run', async () => {
    expect(text()).toContain('Connecting…')
    await tell(
      aRunner({
        up: false,
        started_at: null,
        program: null,
        same_configuration: null,
        watching: null,
        lanes: {},
      }),
    )
    expect(text()).toContain('No job runner has been started here yet')
    expect(text()).toContain('There are no lanes yet.')
  })

  test('shows who holds a lane, and what waits for it and why', async () => {
    const lanes = {
      mediawiki: {
        concurrency: 3,
        holders: [
          { slot: 2, job: 5, user: 'bob' },
          { slot: 1, job: 4, user: 'alice' },
        ],
        waiting: [{ job: 7, waiting_for: 'slot 3 of lane mediawiki is locked by another process' }],
      },
      quick: { concurrency: 1, holders: [], waiting: [] },
    }
    await tell(aRunner({ lanes }), [aJob({ id: 7, user: 'carol', type: 'backport', state: 'queued' })])
    const [busy, free] = page.findAll('.lane-card').map((card) => card.text().replaceAll(/\s+/g, ' '))
    expect(busy).toMatch(/Job 4 of alice in slot 1 ?Job 5 of bob in slot 2/)
    expect(busy).toContain('Free slots: 1')
    expect(busy).toMatch(/Job 7: backport of carol ?slot 3 of lane mediawiki is locked/)
    expect(free).toContain('One job at a time')
    expect(free).toContain('The lane is free.')
    expect(free).toContain('The queue is empty.')
    expect(page.find('a[href="/jobs/7"]').text()).toBe('Job 7')
  })

  test('says how much more waits than is shown', async () => {
    const waiting = Array.from({ length: 1000 }, (_, index) => ({ job: index + 1, waiting_for: null }))
    await tell(aRunner({ lanes: { default: { concurrency: 1, holders: [], waiting } } }))
    expect(page.findAll('.lane-card li')).toHaveLength(20)
    expect(text()).toContain('980 more')
  })

  test('says what is wrong, in the words of the runner and about it', async () => {
    await tell(aRunner({ problems: ['cannot read queue/x'], same_configuration: false, watching: false }))
    expect(text()).toContain('cannot read queue/x')
    expect(text()).toContain('have read different configurations')
    expect(text()).toContain('polls every second')
  })
})

describe('a pause', () => {
  const field = () => page.get<HTMLInputElement>('input[name="reason"]')

  test('is asked for with its reason, and shown until the runner has done it', async () => {
    const pause = vi.spyOn(api, 'pause').mockResolvedValue({ message: 'Pause asked for: the runner does it at once' })
    await tell(aRunner())
    await field().setValue('  lunch ')
    await page.get('form').trigger('submit')
    await flushPromises()
    expect(pause).toHaveBeenCalledWith('lunch')
    expect(text()).toContain('Pause asked for: the runner does it at once.')
    await tell(aRunner({ paused: 'lunch (alice)' }))
    expect(text()).not.toContain('asked for')
    expect(text()).toContain('New jobs are paused: lunch (alice).')
    expect(button('Resume')).toBeDefined()
  })

  test('without a reason is not asked for', async () => {
    const pause = vi.spyOn(api, 'pause')
    await tell(aRunner())
    expect(text()).not.toContain('Enter a reason for the pause')
    await page.get('form').trigger('submit')
    expect(text()).toContain('Enter a reason for the pause')
    expect(pause).not.toHaveBeenCalled()
  })

  test('that is refused says why, and keeps the reason', async () => {
    vi.spyOn(api, 'pause').mockRejectedValue(new ApiError('The spool is full', 503))
    await tell(aRunner())
    await field().setValue('lunch')
    await page.get('form').trigger('submit')
    await flushPromises()
    expect(text()).toContain('The spool is full')
    expect(field().element.value).toBe('lunch')
  })

  test('is asked for once, however often the button is pressed', async () => {
    const pause = vi.spyOn(api, 'pause').mockReturnValue(new Promise(() => undefined))
    await tell(aRunner())
    await field().setValue('lunch')
    await page.get('form').trigger('submit')
    await page.get('form').trigger('submit')
    expect(pause).toHaveBeenCalledOnce()
    expect(text()).toContain('Sending…')
  })

  test('ends when somebody resumes, and leaves the focus in its place', async () => {
    const resume = vi.spyOn(api, 'resume').mockResolvedValue({ message: 'Resumption asked for' })
    await tell(aRunner({ paused: 'lunch (bob)' }))
    const pressed = button('Resume')
    pressed?.element.focus()
    await pressed?.trigger('click')
    await flushPromises()
    expect(resume).toHaveBeenCalledOnce()
    expect(text()).toContain('Resumption asked for.')
    await tell(aRunner())
    expect(document.activeElement?.textContent).toBe('Pause')
    expect(field().element.value).toBe('')
  })

  test('is for admins', async () => {
    page.unmount()
    await open(false)
    await tell(aRunner())
    expect(button('Pause')?.element.disabled).toBe(true)
    expect(text()).toContain('Only admins can pause and resume')
    await tell(aRunner({ paused: 'lunch (bob)' }))
    expect(button('Resume')?.element.disabled).toBe(true)
  })
})
