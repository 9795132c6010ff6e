import { flushPromises, mount, type VueWrapper } from '@vue/test-utils'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createMemoryHistory, createRouter } from 'vue-router'

import { api, ApiError } from '@/api/client.ts'
import { aJob, aParam, aPerson, declared } from '@/api/testing.ts'
import type { Job, JobType } from '@/api/types.ts'
import { aFinding, preflight } from '@/changes/testing.ts'
import { provideSession, Session } from '@/state/session.ts'

import JobActions from './JobActions.vue'

const backport: JobType = {
  name: 'backport',
  title: 'Backport',
  help: null,
  lane: 'default',
  retry: true,
  disabled_reason: null,
  params: [],
}

let actions: VueWrapper
const router = createRouter({
  history: createMemoryHistory(),
  routes: [
    { path: '/', component: {} },
    { path: '/jobs/:id', name: 'job', component: {} },
  ],
})

async function show(job: Partial<Job>, jobTypes: JobType[] = [backport]): Promise<void> {
  vi.spyOn(api, 'jobTypes').mockResolvedValue(declared(jobTypes))
  const session = new Session()
  await session.refresh()
  actions = mount(JobActions, {
    attachTo: document.body,
    props: { job: aJob(job) },
    global: { plugins: [router, (app) => provideSession(app, session)] },
  })
}

const becomes = (job: Partial<Job>) => actions.setProps({ job: aJob(job) })

/** Also in dialogs, which are at the end of the document. */
function find(label: string): HTMLButtonElement | undefined {
  return [...document.querySelectorAll('button')].find((one) => one.textContent.trim() === label)
}

async function press(label: string): Promise<void> {
  const button = find(label)
  if (button === undefined) {
    throw new Error(`There is no button ${label}`)
  }
  button.click()
  await flushPromises()
}

beforeEach(() => {
  vi.spyOn(api, 'whoami').mockResolvedValue(aPerson())
  vi.spyOn(api, 'signal').mockResolvedValue({})
  vi.spyOn(api, 'retry').mockResolvedValue({ id: 8 })
})

afterEach(() => actions.unmount())

test.each(['running', 'queued', 'failed'] as const)(
  'who may only look sees what others can do, and why not they: %s',
  async (state) => {
    vi.mocked(api.whoami).mockResolvedValue(aPerson({ mayStart: false }))
    await show({ state })
    const buttons = actions.findAll('button')
    expect(buttons.length).toBeGreaterThan(0)
    const reason = actions.get('.job-actions__reason')
    expect(reason.text()).toBe('You can view jobs, but not start or answer them.')
    for (const button of buttons) {
      expect(button.attributes()).toMatchObject({ disabled: '', 'aria-describedby': reason.attributes('id') })
    }
  },
)

test.each(['running', 'queued', 'failed'] as const)('whom the job type is not for is told so: %s', async (state) => {
  const jobTypes = { backport: { groups: ['crew', 'ops'], mayAnswer: false } }
  vi.mocked(api.whoami).mockResolvedValue(aPerson({ jobTypes }))
  await show({ state, type: 'backport' })
  expect(actions.get('.job-actions__reason').text()).toBe('View only: jobs of this type are for crew, ops.')
  expect(actions.findAll('button').every((one) => one.attributes('disabled') !== undefined)).toBe(true)
})

describe('stopping', () => {
  test('is sent, until the state shows it', async () => {
    await show({ id: 7, state: 'running' })
    await press('Stop')
    expect(api.signal).toHaveBeenCalledExactlyOnceWith(7, 'interrupt')
    expect(actions.find('[role=status]').text()).toBe('Stop sent')
    await becomes({ id: 7, state: 'stopping' })
    expect(actions.find('[role=status]').text()).toBe('')
    expect(find('Stop again')).toBeDefined()
  })

  test('of a job that waits is to cancel it, and there is nothing to kill', async () => {
    await show({ state: 'queued' })
    expect(find('Kill…')).toBeUndefined()
    await press('Cancel')
    expect(api.signal).toHaveBeenCalledExactlyOnceWith(1, 'interrupt')
  })

  test('tells why it was refused', async () => {
    vi.mocked(api.signal).mockRejectedValue(new ApiError('The job has finished already', 409))
    await show({ state: 'running' })
    await press('Stop')
    expect(actions.text()).toContain('The job has finished already')
    expect(actions.find('[role=status]').text()).toBe('')
  })

  test('tells that until it is dismissed, and the focus stays', async () => {
    vi.mocked(api.signal).mockRejectedValue(new ApiError('SpiderPig cannot be reached', 0))
    await show({ state: 'running' })
    await press('Stop')
    await becomes({ state: 'waiting' })
    expect(actions.text()).toContain('SpiderPig cannot be reached')
    const dismiss = actions.get<HTMLButtonElement>('.cdx-message__dismiss-button')
    dismiss.element.focus()
    await dismiss.trigger('click')
    await flushPromises()
    expect(actions.text()).not.toContain('SpiderPig cannot be reached')
    expect(document.activeElement).toBe(actions.element)
  })
})

describe('killing', () => {
  test('asks first, and names the job', async () => {
    await show({ id: 7, state: 'running' })
    await press('Kill…')
    expect(document.body.textContent).toContain('SIGKILL ends all processes')
    await press('Leave it running')
    expect(api.signal).not.toHaveBeenCalled()
    await press('Kill…')
    await press('Kill job 7')
    expect(api.signal).toHaveBeenCalledExactlyOnceWith(7, 'kill')
  })
})

describe('retrying', () => {
  const ended: Partial<Job> = { id: 7, state: 'failed', params: { change: '42' } }

  test('asks first, and leads to the new job', async () => {
    await show(ended)
    await press('Retry…')
    expect(document.querySelector('.cdx-dialog')?.textContent).toContain('42')
    await press('Start a new job')
    expect(api.retry).toHaveBeenCalledExactlyOnceWith(7, expect.stringMatching(/^[0-9a-f]{32}$/), false)
    expect(router.currentRoute.value.fullPath).toBe('/jobs/8')
  })

  test('keeps its key as long as the same is meant', async () => {
    vi.mocked(api.retry).mockRejectedValueOnce(new ApiError('SpiderPig cannot be reached', 0))
    await show(ended)
    await press('Retry…')
    await press('Start a new job')
    expect(document.querySelector('.cdx-dialog')?.textContent).toContain('SpiderPig cannot be reached')
    await press('Start a new job')
    await press('Retry…')
    await press('Start a new job')
    const keys = vi.mocked(api.retry).mock.calls.map(([, key]) => key)
    expect(keys[1]).toBe(keys[0])
    expect(keys[2]).not.toBe(keys[0])
  })

  test('is done anyway by who says so, where Gerrit is in the way', async () => {
    vi.mocked(api.retry).mockRejectedValueOnce(new ApiError('Gerrit does not answer', 502, { anyway: true }))
    await show(ended)
    await press('Retry…')
    expect(find('Start anyway')).toBeUndefined()
    await press('Start a new job')
    expect(document.querySelector('.cdx-dialog')?.textContent).toMatch(/Gerrit does not answer[^]*The job records/)
    await press('Start anyway')
    expect(vi.mocked(api.retry).mock.lastCall).toEqual([7, expect.any(String), true])
    expect(router.currentRoute.value.fullPath).toBe('/jobs/8')
  })

  test('tells what speaks against its changes now, and is done anyway by who says so', async () => {
    const found = preflight(['42'], [aFinding({ message: 'Change 42 is abandoned' })])
    vi.spyOn(api, 'preflight').mockResolvedValue({ ...found, ready: false })
    await show(ended, [{ ...backport, params: [aParam({ name: 'change', kind: 'gerrit-change' })] }])
    await press('Retry…')
    await vi.waitFor(() => expect(document.querySelector('.cdx-dialog')?.textContent).toContain('is abandoned'))
    await press('Start a new job')
    expect(api.retry).not.toHaveBeenCalled()
    await press('Start anyway')
    expect(api.retry).toHaveBeenCalledExactlyOnceWith(7, expect.any(String), true)
  })

  test('is not offered anyway where that would not help', async () => {
    vi.mocked(api.retry).mockRejectedValueOnce(new ApiError('The queue is full', 503))
    await show(ended)
    await press('Retry…')
    await press('Start a new job')
    expect(find('Start anyway')).toBeUndefined()
  })

  test.each<[string, JobType[], string]>([
    ['its type is gone', [], 'no longer in the configuration'],
    ['its type is not tried again', [{ ...backport, retry: false }], 'cannot be retried'],
    ['none can be started', [{ ...backport, disabled_reason: 'The runner is old' }], 'The runner is old'],
  ])('is not possible if %s', async (_, jobTypes, reason) => {
    await show(ended, jobTypes)
    expect(find('Retry…')?.disabled).toBe(true)
    expect(actions.text()).toContain(reason)
  })
})

test('focus stays with the actions when a button goes', async () => {
  await show({ state: 'running' })
  find('Stop')?.focus()
  await becomes({ state: 'succeeded' })
  await flushPromises()
  expect(document.activeElement).toBe(actions.element)
})
