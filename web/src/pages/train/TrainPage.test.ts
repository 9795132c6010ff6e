import { flushPromises, type VueWrapper } from '@vue/test-utils'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { shallowRef } from 'vue'

import { api, ApiError } from '@/api/client.ts'
import type { Job, Monitoring, TrainStatus } from '@/api/types.ts'
import { fakeLive, show } from '@/state/testing.ts'
import { aJob, aJobType, aPerson } from '@/api/testing.ts'

import { aStatus, NEW, OLD } from './testing.ts'
import TrainPage from './TrainPage.vue'

vi.mock('./TrainJob.vue', () => ({ default: { props: ['number'], template: '<p>Live: {{ number }}</p>' } }))

vi.mock('@/ui/clock.ts', () => ({ useNow: () => shallowRef(1_060_000) }))

const train = aJobType([], { name: 'train', title: 'The train' })
let page: VueWrapper
let monitoring = shallowRef<Monitoring | null>(null)
let live: ReturnType<typeof fakeLive>

async function open({
  status = aStatus() as TrainStatus | Error,
  types = [train],
  jobs = [] as Job[],
  who = aPerson(),
} = {}) {
  const asked = vi.spyOn(api, 'trainStatus')
  if (status instanceof Error) {
    asked.mockRejectedValue(status)
  } else {
    asked.mockResolvedValue(status)
  }
  monitoring = shallowRef(null)
  live = Object.assign(fakeLive(jobs), { monitoring })
  page = (await show(TrainPage, { types, live, who })).page
  await flushPromises()
  return asked
}

const words = (element: { text(): string } = page) => element.text().replaceAll(/\s+/g, ' ')
const button = (name: string) => page.get<HTMLButtonElement>(`button[aria-label="${name}"]`)
const dialog = () => document.querySelector<HTMLElement>('[role="dialog"]')
const said = () => dialog()?.textContent.replaceAll(/\s+/g, ' ') ?? ''
const press = async (text: string) => {
  const found = [...(dialog()?.querySelectorAll('button') ?? [])].find((one) => one.textContent.trim() === text)
  expect(found, text).toBeDefined()
  found?.click()
  await flushPromises()
}
const aTrainJob = (different: Partial<Job> = {}) => aJob({ id: 12, type: 'train', user: 'bob', ...different })

beforeEach(() => {
  vi.spyOn(api, 'jobs').mockResolvedValue({ jobs: [], total: 0, complete: true })
})

afterEach(() => {
  page.unmount()
})

test('says which versions are live where, and what is next', async () => {
  await open()
  expect(words(page.get('.train-summary'))).toContain(`${NEW} (new)3 of 6 wikis`)
  expect(words(page.get('.train-summary'))).toContain('As of 00:16:40 UTC, 1 min ago')
  const steps = page.findAll('.train-steps__step')
  expect(steps.map((step) => [step.get('h3').text(), step.get('.cdx-info-chip').text()])).toEqual([
    ['testwikis', 'Promoted'],
    ['group0', 'Promoted'],
    ['group1', 'Next'],
    ['group2', 'Not yet'],
  ])
  expect(steps.map((step) => step.attributes('aria-current'))).toEqual([undefined, undefined, 'step', undefined])
})

test('says plainly that the status is old, and what warns', async () => {
  await open({ status: aStatus({ time: 1000 - 4000, warnings: ['Blocked by T7'] }) })
  expect(words()).toContain('This data is 1 h 7 min old')
  expect(words()).toContain('Blocked by T7')
})

test('asks again when something new is reported, and not otherwise', async () => {
  const asked = await open()
  expect(asked).toHaveBeenCalledOnce()
  asked.mockResolvedValue(aStatus({ version: '1.46.0-wmf.4' }))
  monitoring.value = { train: { time: 2 }, mediawiki: null }
  await flushPromises()
  expect(page.get('h1').text()).toBe('Train 1.46.0-wmf.4')
})

test('has the words of the server when there is no status', async () => {
  await open({ status: new ApiError('The position of the train is unknown', 503) })
  expect(words()).toContain('The position of the train is unknown.')
  expect(page.find('.train-steps').exists()).toBe(false)
})

test('promotes with what this person has seen, without the wikis that are excluded', async () => {
  const status = aStatus({}, ['c'])
  const moved = vi.spyOn(api, 'moveTrain').mockResolvedValue({ id: 12 })
  await open({ status })
  await button('Promote group1…').trigger('click')
  await flushPromises()
  expect(said()).toContain(`Promote group1 to ${NEW}?`)
  expect(said()).toContain(`2 wikis: ${OLD} → ${NEW}d, e`)
  expect(said()).toContain(`Excluded: 1 wikic: ${OLD}, not promoted with its group`)
  const box = [...(dialog()?.querySelectorAll('input[type="checkbox"]') ?? [])] as HTMLInputElement[]
  expect(box.map(({ value, checked }) => [value, checked])).toEqual([
    ['c', true],
    ['d', false],
    ['e', false],
  ])
  box[2]?.click()
  await flushPromises()
  expect(said()).toContain('Excluded: 2 wikis')
  await press('Promote 1 wiki')
  const [move, seen] = moved.mock.calls[0] ?? []
  expect(move).toEqual({ group: 'group1', version: NEW, oldVersion: OLD, excludedWikis: ['c', 'e'] })
  expect(seen).toEqual(status)
  expect(dialog()).toBeNull()
  expect(words()).toContain('Live: 12')
})

test('rolls all back, and says why it could not', async () => {
  const moved = vi.spyOn(api, 'moveTrain').mockRejectedValueOnce(new ApiError('The spool is full', 503))
  await open()
  await page.get('.cdx-button--action-destructive').trigger('click')
  await flushPromises()
  expect(said()).toContain(`3 wikis: ${NEW} → ${OLD}a, b, c`)
  await press('Roll back 3 wikis')
  expect(said()).toContain('The spool is full')
  moved.mockResolvedValue({ id: 13 })
  await press('Roll back 3 wikis')
  expect(dialog()).toBeNull()
  expect(moved.mock.calls[1]?.[0]).toEqual({ group: 'all', version: OLD, oldVersion: OLD, excludedWikis: [] })
  expect(moved.mock.calls[1]?.[2]).toBe(moved.mock.calls[0]?.[2])
})

test('does not let anybody decide by what is no longer so', async () => {
  const asked = await open()
  await button('Promote group1…').trigger('click')
  asked.mockResolvedValue(aStatus({ time: 1050 }))
  monitoring.value = { train: { time: 1050 }, mediawiki: null }
  await flushPromises()
  expect(said()).not.toContain('The status has changed')
  asked.mockResolvedValue(aStatus({}, ['c']))
  monitoring.value = { train: { time: 1051 }, mediawiki: null }
  await flushPromises()
  expect(said()).toContain('The status has changed since you opened this dialog.')
  expect(dialog()?.querySelector<HTMLButtonElement>('.cdx-button--weight-primary')?.disabled).toBe(true)
})

test('while a job moves the train all see what it was started with, and nobody starts another', async () => {
  const seen = aStatus({ atGroup: null }, ['a', 'b', 'c'])
  const data = { originalTrainStatus: seen, group: 'testwikis', version: NEW, excludedWikis: [] }
  await open({ jobs: [aTrainJob({ data })] })
  expect(words()).toContain('Live: 12')
  expect(words()).toContain('Live versions before job 12')
  expect(words()).toContain(`which moves the wikis up to testwikis to ${NEW}`)
  expect(words(page.get('.train-steps__obstacle'))).toBe('Only one train job at a time: job 12 of bob is running.')
  expect(button('Promote testwikis…').element.disabled).toBe(true)
  expect(page.get(`#${button('Promote testwikis…').attributes('aria-describedby')}`).text()).toContain('job 12')
  live.tell(aTrainJob({ data, state: 'succeeded', running: false, finished_at: 1010 }))
  await flushPromises()
  // An ended job stays in view, and its changes are not reported yet.
  expect(words()).toContain('Live: 12')
  expect(words()).toContain('Job 12 has ended since this was reported.')
  expect(button('Promote group1…').element.disabled).toBe(false)
})

test.each([
  ['without the job type', { types: [] }, 'has no job type “train”'],
  [
    'with one that is disabled',
    { types: [{ ...train, disabled_reason: 'The runner lacks it.' }] },
    'The runner lacks it.',
  ],
  ['without an old version', { status: { ...aStatus(), oldVersion: null } }, 'does not name the old version'],
])('%s it shows the status, and says why nothing can be started', async (_, given, reason) => {
  await open(given)
  expect(words(page.get('.train-steps__obstacle'))).toContain(reason)
  expect(page.findAll('.train-steps button').every((one) => one.attributes('disabled') !== undefined)).toBe(true)
})

test('who may only look cannot move it, and is told why', async () => {
  await open({ who: aPerson({ mayStart: false }) })
  expect(words(page.get('#train-obstacle'))).toBe('You can view jobs, but not start or answer them.')
  expect(page.findAll('.train-steps button').every((one) => one.attributes('disabled') !== undefined)).toBe(true)
})
