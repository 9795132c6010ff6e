import { flushPromises, type VueWrapper } from '@vue/test-utils'
import { afterEach, beforeEach, describe, expect, test, vi, type MockInstance } from 'vitest'

import { aJobType, aParam, aRunner } from '@/api/testing.ts'
import { api, ApiError } from '@/api/client.ts'
import type { JobType, Preflight } from '@/api/types.ts'
import { aFinding, found, preflight } from '@/changes/testing.ts'

import StartForm from './StartForm.vue'
import { fakeLive, show } from '@/state/testing.ts'

const TYPE = aJobType([
  aParam({ name: 'word', title: 'Word', pattern: '[a-z]+', required: true }),
  aParam({ name: 'speed', title: 'Speed', kind: 'integer', max: 100, default: 10 }),
  aParam({ name: 'key', title: 'Key', sensitive: true, default: '•••' }),
])

let page: VueWrapper
let start: MockInstance<typeof api.start>

beforeEach(() => {
  start = vi.spyOn(api, 'start').mockResolvedValue({ id: 12 })
})

afterEach(() => page.unmount())

async function open(type: JobType = TYPE, live = fakeLive(), filledIn: [string, string[]][] = []) {
  const shown = await show(StartForm, { props: { jobType: type, filledIn: new Map(filledIn) }, live })
  page = shown.page
  return shown
}

/** The field with this label. */
function field(title: string) {
  const label = page.findAll('label').find((label) => label.text().startsWith(title))
  return page.get<HTMLInputElement>(`[id="${label?.attributes('for')}"]`)
}

async function press(name: string): Promise<void> {
  const button = page.findAll('button').find((button) => button.text().startsWith(name))
  await button?.trigger(button.attributes('type') === 'submit' ? 'submit' : 'click')
  await flushPromises()
}

function keys(): (string | undefined)[] {
  return start.mock.calls.map(([, , key]) => key)
}

test('a form that is right is sent, and leads to the job', async () => {
  const { router } = await open()
  await field('Word').setValue('abc')
  await press('Start Backport')
  expect(start).toHaveBeenCalledExactlyOnceWith('backport', { word: 'abc', speed: 10 }, expect.any(String), false)
  expect(router.currentRoute.value.fullPath).toBe('/jobs/12')
  expect(page.emitted('started')).toHaveLength(1)
})

test('what is wrong is said at the field, which gets the focus, and nothing is sent', async () => {
  await open()
  await field('Speed').setValue('1000')
  expect(page.text()).not.toContain('at most 100')
  await press('Start Backport')
  expect(start).not.toHaveBeenCalled()
  expect(page.text()).toContain('This is required and must not be empty')
  expect(page.text()).toContain('This must be at most 100')
  expect(document.activeElement).toBe(field('Word').element)
  expect(field('Word').attributes('aria-invalid')).toBe('true')
  await field('Word').setValue('abc')
  expect(page.text()).not.toContain('This is required')
})

test('what the server finds wrong is said at the field until it changes', async () => {
  await open()
  const loc = ['body', 'params', 'speed']
  const msg = 'parameter `speed` must be even'
  start.mockRejectedValueOnce(
    new ApiError(msg, 422, {}, [
      { loc, msg },
      { loc: ['body', 'params', 'new'], msg: 'No.' },
    ]),
  )
  await field('Word').setValue('abc')
  await press('Start Backport')
  expect(page.text()).toContain('This must be even')
  expect(page.text()).toContain('No.')
  expect(document.activeElement).toBe(field('Speed').element)
  await field('Speed').setValue('12')
  expect(page.text()).not.toContain('This must be even')
})

test('who presses again after no answer sends the same key, and another after a change', async () => {
  await open()
  start.mockRejectedValue(new ApiError('SpiderPig cannot be reached', 0))
  await field('Word').setValue('abc')
  await press('Start Backport')
  expect(page.text()).toContain('You can safely press the button again')
  await press('Start Backport')
  await field('Word').setValue('abcd')
  await press('Start Backport')
  const [first, second, third] = keys()
  expect(first).toBe(second)
  expect(third).not.toBe(first)
})

test('a second press while the first is being answered does nothing', async () => {
  await open()
  start.mockReturnValue(new Promise(() => undefined))
  await field('Word').setValue('abc')
  await press('Start Backport')
  await press('Starting…')
  expect(start).toHaveBeenCalledTimes(1)
})

test('who has left the page is not brought to the job', async () => {
  const { router } = await open()
  let answer: (created: { id: number }) => void = () => undefined
  start.mockReturnValue(new Promise((resolve) => (answer = resolve)))
  await field('Word').setValue('abc')
  await press('Start Backport')
  page.unmount()
  answer({ id: 12 })
  await flushPromises()
  expect(router.currentRoute.value.fullPath).toBe('/')
})

test('a type that cannot be used says why, and so does a lost connection', async () => {
  const live = fakeLive()
  await open({ ...TYPE, disabled_reason: 'Restart spiderpig-runner' }, live)
  expect(page.get('[type="submit"]').attributes()).toHaveProperty('disabled')
  expect(page.text()).toContain('Restart spiderpig-runner')
  live.connection.value = { state: 'broken', reason: 'SpiderPig stopped sending updates', retryAt: null }
  await vi.waitFor(() => {
    expect(page.text()).toContain('Not connected to SpiderPig: SpiderPig stopped sending updates.')
  }, 5000)
})

test('a connection that is refused says why, and the keyboard stays in the form', async () => {
  const live = fakeLive()
  await open(TYPE, live)
  page.get<HTMLElement>('[type="submit"]').element.focus()
  live.connection.value = { state: 'refused', reason: 'Your session has ended' }
  await vi.waitFor(() => {
    expect(page.text()).toContain('Not connected to SpiderPig: Your session has ended.')
  }, 5000)
  await vi.waitFor(() => expect(document.activeElement).toBe(page.get('form').element))
})

test('without a runner, or with one that is paused, a job can be started', async () => {
  const live = fakeLive()
  live.runner.value = aRunner({ lanes: {}, up: false })
  await open(TYPE, live)
  expect(page.text()).toContain('The job runner is not running.')
  live.runner.value = aRunner({ lanes: {}, paused: 'Lunch' })
  await page.vm.$nextTick()
  expect(page.text()).toContain('New jobs are paused.')
  expect(page.get('[type="submit"]').attributes()).not.toHaveProperty('disabled')
})

test('what would be executed is shown as a shell has it, until something changes', async () => {
  await open()
  vi.spyOn(api, 'dryRun').mockResolvedValue({
    message: '',
    type: 'backport',
    lane: 'mediawiki',
    command: ['echo', 'two words', '•••'],
    params: { word: 'abc', key: '•••' },
    working_directory: '/srv',
  })
  await field('Word').setValue('abc')
  await press('Preview the command')
  expect(page.get('pre').text()).toBe("echo 'two words' '•••'")
  expect(page.text()).toContain('/srv')
  await field('Word').setValue('abcd')
  expect(page.find('pre').exists()).toBe(false)
  expect(start).not.toHaveBeenCalled()
})

test('a form can be filled in from outside', async () => {
  await open(TYPE, fakeLive(), [['word', ['abc']]])
  expect(field('Word').element.value).toBe('abc')
  expect(field('Speed').element.value).toBe('10')
  expect(field('Key').element.value).toBe('')
})

test('a choice of which none is made yet gets the focus, too', async () => {
  await open(aJobType([aParam({ name: 'where', title: 'Where', kind: 'choice', choices: ['a', 'b'], required: true })]))
  await press('Start Backport')
  expect(document.activeElement?.getAttribute('type')).toBe('radio')
})

test('a connection that is back in a moment is not in the way', async () => {
  const live = fakeLive()
  await open(TYPE, live)
  await field('Word').setValue('abc')
  live.connection.value = { state: 'connecting' }
  await press('Start Backport')
  expect(start).toHaveBeenCalledOnce()
})

describe('a type that deploys changes', () => {
  const DEPLOY = aJobType([aParam({ name: 'change', title: 'Changes', kind: 'gerrit-change', many: true })])
  const BLOCKED = (inputs: string[]) => preflight(inputs, [aFinding()])
  let check: MockInstance<typeof api.preflight>

  /** A form with a change, which has been checked. */
  async function openWith(changes: string[], answer: (inputs: string[]) => Preflight = preflight) {
    vi.spyOn(api, 'changes').mockImplementation((inputs) => Promise.resolve(found(inputs)))
    check = vi.spyOn(api, 'preflight').mockImplementation((inputs) => Promise.resolve(answer(inputs)))
    const shown = await open(DEPLOY, fakeLive(), [['change', changes]])
    await vi.dynamicImportSettled()
    await vi.waitFor(() => expect(page.find('[role="combobox"]').exists()).toBe(true))
    return shown
  }

  const checked = () => vi.waitFor(() => expect(page.text()).toMatch(/blocker|No problems|not be checked/))
  const button = () => page.get('[type="submit"]')
  const anyway = () => page.get<HTMLInputElement>('[type="checkbox"]')

  test('is started if nothing speaks against it', async () => {
    await openWith(['42'])
    await checked()
    expect(page.text()).toContain('No problems found.')
    await press('Start Backport')
    expect(start).toHaveBeenCalledExactlyOnceWith('backport', { change: ['42'] }, expect.any(String), false)
  })

  test('is not started if something does, unless somebody says so', async () => {
    await openWith(['42'], BLOCKED)
    await checked()
    expect(page.text()).toContain('It is abandoned.')
    expect(button().attributes()).toHaveProperty('disabled')
    const reason = page.get(`[id="${button().attributes('aria-describedby')}"]`)
    expect(reason.text()).toContain('The check found a blocker.')
    await anyway().setValue(true)
    await press('Start Backport')
    expect(start).toHaveBeenCalledExactlyOnceWith('backport', { change: ['42'] }, expect.any(String), true)
  })

  test('asks anew whether to start anyway when other changes are chosen', async () => {
    await openWith(['42', '43'], BLOCKED)
    await checked()
    await anyway().setValue(true)
    await page.get('[aria-label="Remove 43"]').trigger('click')
    await checked()
    await vi.waitFor(() => expect(anyway().element.checked).toBe(false))
    expect(button().attributes()).toHaveProperty('disabled')
  })

  test('can be started without Gerrit', async () => {
    const problem = 'Gerrit does not answer: timed out'
    await openWith(['42'], (inputs) => ({ ...preflight(inputs), ready: false, problem }))
    await checked()
    expect(page.text()).toContain(problem)
    expect(button().attributes()).toHaveProperty('disabled')
    await anyway().setValue(true)
    expect(button().attributes()).not.toHaveProperty('disabled')
  })

  test('is started where there is no Gerrit, and nothing to check', async () => {
    await openWith(['42'], (inputs) => ({ ...preflight(inputs), problem: 'No Gerrit is configured' }))
    await vi.waitFor(() => expect(page.text()).toContain('No Gerrit is configured'))
    expect(button().attributes()).not.toHaveProperty('disabled')
  })

  test('says why the check itself failed, and checks again', async () => {
    await openWith(['42'])
    check.mockRejectedValueOnce(new ApiError('SpiderPig cannot be reached', 0))
    await checked()
    expect(page.text()).toContain('SpiderPig cannot be reached')
    expect(button().attributes()).toHaveProperty('disabled')
    await press('Check again')
    expect(page.text()).toContain('No problems found.')
    expect(button().attributes()).not.toHaveProperty('disabled')
  })

  test('waits for the check when it is started at once, with what is still being typed', async () => {
    await openWith([])
    check.mockImplementation((inputs) => Promise.resolve(BLOCKED(inputs)))
    await page.get('[role="combobox"]').setValue('42')
    await press('Start Backport')
    expect(check).toHaveBeenCalledExactlyOnceWith(['42'], expect.any(AbortSignal))
    expect(start).not.toHaveBeenCalled()
    expect(document.activeElement?.textContent).toContain('Start anyway')
  })

  test('is not started if something was changed while it waited', async () => {
    await openWith(['42', '43'])
    let answer: () => void = () => undefined
    check.mockReturnValue(new Promise((resolve) => (answer = () => resolve(preflight(['42', '43'])))))
    await press('Start Backport')
    expect(button().text()).toBe('Checking…')
    check.mockImplementation((inputs) => Promise.resolve(preflight(inputs)))
    await page.get('[aria-label="Remove 43"]').trigger('click')
    answer()
    await vi.waitFor(() => expect(page.text()).toContain('The form was changed meanwhile'))
    expect(start).not.toHaveBeenCalled()
  })

  test('can be started anyway when the server refuses it', async () => {
    await openWith(['42'])
    await checked()
    start.mockRejectedValueOnce(new ApiError('Gerrit does not answer', 502, { anyway: true }))
    await press('Start Backport')
    expect(page.text()).toContain('Gerrit does not answer')
    await anyway().setValue(true)
    await press('Start Backport')
    expect(start.mock.lastCall?.[3]).toBe(true)
    expect(keys()[0]).not.toBe(keys()[1])
  })

  test('asks nobody about secrets, or about no changes', async () => {
    check = vi.spyOn(api, 'preflight')
    const secret = aParam({ name: 'change', kind: 'gerrit-change', sensitive: true })
    await open(aJobType([secret]), fakeLive())
    await page.get('input').setValue('42')
    await press('Start Backport')
    expect(start).toHaveBeenCalledOnce()
    expect(check).not.toHaveBeenCalled()
  })
})
