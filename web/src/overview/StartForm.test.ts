import { flushPromises, type VueWrapper } from '@vue/test-utils'
import { afterEach, beforeEach, expect, test, vi, type MockInstance } from 'vitest'

import { api, ApiError } from '@/api/client.ts'
import type { JobType } from '@/api/types.ts'

import StartForm from './StartForm.vue'
import { fakeLive, jobType, param, runner, show } from './testing.ts'

const TYPE = jobType([
  param({ name: 'word', title: 'Word', pattern: '[a-z]+', required: true }),
  param({ name: 'speed', title: 'Speed', kind: 'integer', max: 100, default: 10 }),
  param({ name: 'key', title: 'Key', sensitive: true, default: '•••' }),
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
  expect(start).toHaveBeenCalledExactlyOnceWith('backport', { word: 'abc', speed: 10 }, expect.any(String))
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
  expect(page.text()).toContain('It is safe to press again here')
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
  live.connection.value = { state: 'broken', reason: 'SpiderPig has fallen silent', retryAt: null }
  await vi.waitFor(() => {
    expect(page.text()).toContain('Not connected to SpiderPig: SpiderPig has fallen silent.')
  }, 5000)
})

test('without a runner, or with one that is paused, a job can be started', async () => {
  const live = fakeLive()
  live.runner.value = runner({}, { up: false })
  await open(TYPE, live)
  expect(page.text()).toContain('The job runner is not running.')
  live.runner.value = runner({}, { paused: 'Lunch' })
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
  await press('Show what')
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
  await open(jobType([param({ name: 'where', title: 'Where', kind: 'choice', choices: ['a', 'b'], required: true })]))
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
