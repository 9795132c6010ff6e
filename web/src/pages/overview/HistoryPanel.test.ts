import { flushPromises, type VueWrapper } from '@vue/test-utils'
import { afterEach, beforeEach, expect, test, vi, type MockInstance } from 'vitest'

import { aJobType, aQueuedJob } from '@/api/testing.ts'
import { api, ApiError } from '@/api/client.ts'
import type { Job } from '@/api/types.ts'

import HistoryPanel from './HistoryPanel.vue'
import { show } from '@/state/testing.ts'

let page: VueWrapper
let jobs: MockInstance<typeof api.jobs>

function has(stored: Job[], { total = stored.length, complete = true } = {}): void {
  jobs.mockResolvedValue({ jobs: stored, total, complete })
}

beforeEach(() => {
  jobs = vi.spyOn(api, 'jobs')
  has([])
})

afterEach(() => page.unmount())

async function open({ at = '/', only = null as string | null } = {}) {
  const shown = await show(HistoryPanel, { props: { only }, types: [aJobType()], at })
  page = shown.page
  await flushPromises()
  return shown
}

async function press(name: string): Promise<void> {
  await page
    .findAll('button')
    .find((button) => button.text() === name)
    ?.trigger('click')
  await flushPromises()
}

test('a job is a row: what, how, who, how long, and how it ended', async () => {
  has([aQueuedJob(7, { state: 'failed', params: { a: '42' }, duration: 61, exit_status: 3, finished_at: 2000 })])
  await open()
  const row = page.get('tbody tr')
  expect(row.get('a').attributes('href')).toBe('/jobs/7')
  for (const text of ['7: Backport', '42', 'Failed', 'alice', '1 min 1 s', 'exit status 3']) {
    expect(row.text()).toContain(text)
  }
  expect(page.get('.history-panel__count').text()).toBe('1 job')
})

test('a job that failed shows where in its log, and how it was tried before and again', async () => {
  const last_error = { recno: 34, line: 'fatal: no space' }
  has([aQueuedJob(7, { state: 'failed', outcome: 'failed', last_error, retry_of: 3, retries: [8, 9] })])
  await open()
  const links = page.findAll('tbody a').map((link) => [link.text(), link.attributes('href')])
  expect(links).toContainEqual(['Last error: fatal: no space', '/jobs/7#L34'])
  expect(links).toContainEqual(['3', '/jobs/3'])
  expect(page.text()).toContain('Retried as job 8, 9')
})

test('no job yet is not the same as no job that matches', async () => {
  await open()
  expect(page.text()).toContain('No jobs have finished yet.')
  page.unmount()
  await open({ at: '/?state=failed' })
  expect(page.text()).toContain('No jobs match.')
})

test('the address says what is filtered, and clearing it keeps the rest', async () => {
  const { router } = await open({ at: '/?state=failed&user=bob&type=backport&q=x&change=42' })
  const filter = { outcome: [], state: ['failed'], user: 'bob', type: 'backport', q: 'x' }
  expect(jobs.mock.lastCall?.[0]).toEqual(filter)
  await press('Clear filters')
  expect(router.currentRoute.value.query).toEqual({ change: '42' })
  expect(jobs.mock.lastCall?.[0]).toMatchObject({ user: '', type: '', q: '' })
})

test('an outcome that is pressed filters, and going back undoes it', async () => {
  const { router } = await open()
  await press('Failed')
  await press('Lost')
  expect(router.currentRoute.value.fullPath).toBe('/?outcome=failed&outcome=lost')
  router.back()
  await flushPromises()
  await vi.waitFor(() => expect(router.currentRoute.value.fullPath).toBe('/?outcome=failed'))
  expect(jobs.mock.lastCall?.[0].outcome).toEqual(['failed'])
})

test('typed text filters after a pause, as one step back', async () => {
  const { router } = await open()
  vi.useFakeTimers()
  const type = async (text: string) => {
    await page.get('input[type="search"]').setValue(text)
    await vi.advanceTimersByTimeAsync(1000)
  }
  await type('42')
  await type('423')
  vi.useRealTimers()
  expect(router.currentRoute.value.fullPath).toBe('/?q=423')
  router.back()
  await vi.waitFor(() => expect(router.currentRoute.value.fullPath).toBe('/'))
  await flushPromises()
  expect(page.get<HTMLInputElement>('input[type="search"]').element.value).toBe('')
})

test('the history of one type is of that type whatever the address says', async () => {
  await open({ at: '/start/backport?type=other', only: 'backport' })
  expect(jobs.mock.lastCall?.[0].type).toBe('backport')
  expect(page.text()).toContain('No jobs of this type have finished yet.')
})

test('a count that is not complete is a lower bound', async () => {
  has([aQueuedJob(7, { state: 'failed' })], { total: 1234, complete: false })
  await open()
  expect(page.get('.history-panel__count').text()).toBe('at least 1,234 jobs')
})

test('more can be loaded, and whoever asked for the last of it keeps the focus', async () => {
  const page1 = Array.from({ length: 25 }, (_, place) => aQueuedJob(30 - place, { state: 'succeeded' }))
  jobs.mockResolvedValueOnce({ jobs: page1, total: 26, complete: true })
  await open()
  has([aQueuedJob(1, { state: 'succeeded' })], { total: 26 })
  await press('Load more')
  expect(page.findAll('tbody tr')).toHaveLength(26)
  expect(page.text()).not.toContain('Load more')
  expect(document.activeElement?.textContent).toBe('26 jobs')
})

test('a failure says why, and can be tried again', async () => {
  jobs.mockRejectedValueOnce(new ApiError('Too many people search', 503))
  await open()
  expect(page.text()).toContain('The history could not be loaded: Too many people search')
  expect(page.text()).not.toContain('No job')
  await press('Try now')
  expect(page.text()).not.toContain('could not be loaded')
})
