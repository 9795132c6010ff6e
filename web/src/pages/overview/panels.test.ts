import type { VueWrapper } from '@vue/test-utils'
import { afterEach, expect, test, vi } from 'vitest'

import { api } from '@/api/client.ts'
import type { Job } from '@/api/types.ts'
import { aJobType, aLane, aPrompt, aQueuedJob, aRunner } from '@/api/testing.ts'

import RunningPanel from './RunningPanel.vue'
import { fakeLive, show } from '@/state/testing.ts'
import WaitingPanel from './WaitingPanel.vue'

const TYPES = [aJobType(), aJobType([], { name: 'hello', title: 'Greeting' })]

let page: VueWrapper

afterEach(() => page.unmount())

function running(id: number, different: Partial<Job> = {}): Job {
  return aQueuedJob(id, { state: 'running', running: true, started_at: 1000, ...different })
}

const prompt = (job: number) => aPrompt({ id: job * 1_000_000 + 1, job_id: job, prompt: 'Sure?' })

function links(): string[] {
  return page.findAll('li a').map((link) => link.text())
}

test('what asks something comes first, with its question', async () => {
  const asking = running(9, { state: 'waiting', interaction: prompt(9) })
  const live = fakeLive([
    aQueuedJob(1),
    running(8),
    asking,
    running(7, { type: 'hello' }),
    aQueuedJob(2, { state: 'failed' }),
  ])
  page = (await show(RunningPanel, { live, types: TYPES })).page
  expect(links()).toEqual(['Job 9: Backport', 'Job 7: Greeting', 'Job 8: Backport'])
  expect(page.text()).toContain('Sure?')
})

test('what asks this person comes before what asks others', async () => {
  const asks = (id: number, user: string) => running(id, { user, state: 'waiting', interaction: prompt(id) })
  const live = fakeLive([asks(6, 'bob'), running(7), asks(8, 'alice'), asks(9, 'carol')])
  page = (await show(RunningPanel, { live, types: TYPES })).page
  expect(links().map((link) => link.slice(0, 5))).toEqual(['Job 8', 'Job 6', 'Job 9', 'Job 7'])
})

test('a click that meets a job that has just moved is not taken, and that is said', async () => {
  vi.useFakeTimers()
  const signal = vi.spyOn(api, 'signal').mockResolvedValue({})
  const live = fakeLive([running(7), running(8)])
  page = (await show(RunningPanel, { live, types: TYPES })).page
  const stop = page.findAll('li')[1]?.get('button')
  live.tell(aQueuedJob(7, { state: 'succeeded' }))
  await page.vm.$nextTick()
  await stop?.trigger('click', { detail: 1 })
  expect(signal).not.toHaveBeenCalled()
  expect(page.get('[role="status"]').text()).toContain('click was ignored')
  await vi.advanceTimersByTimeAsync(700)
  await stop?.trigger('click', { detail: 1 })
  expect(signal).toHaveBeenCalledExactlyOnceWith(8, 'interrupt')
  expect(page.get('[role="status"]').text()).toBe('')
  vi.useRealTimers()
})

test('cancelling one job that waits does not cancel the next one by a double click', async () => {
  const signal = vi.spyOn(api, 'signal').mockResolvedValue({})
  const live = fakeLive([aQueuedJob(7), aQueuedJob(8)])
  page = (await show(WaitingPanel, { live, types: TYPES })).page
  live.tell(aQueuedJob(7, { state: 'cancelled' }))
  await page.vm.$nextTick()
  await page.get('li button').trigger('click', { detail: 2 })
  expect(signal).not.toHaveBeenCalled()
  expect(page.get('[role="status"]').text()).toContain('click was ignored')
})

test('a key is taken also while jobs move: it is for what has the focus', async () => {
  const signal = vi.spyOn(api, 'signal').mockResolvedValue({})
  const live = fakeLive([running(7), running(8)])
  page = (await show(RunningPanel, { live, types: TYPES })).page
  live.tell(aQueuedJob(7, { state: 'succeeded' }))
  await page.vm.$nextTick()
  await page.get('li button').trigger('click', { detail: 0 })
  expect(signal).toHaveBeenCalledExactlyOnceWith(8, 'interrupt')
})

test('where nothing runs it says so, and for one type only of that', async () => {
  const live = fakeLive([running(7, { type: 'hello' })])
  page = (await show(RunningPanel, { live, types: TYPES, props: { only: 'backport' } })).page
  expect(page.text()).toContain('No jobs of this type are running.')
  page.unmount()
  page = (await show(RunningPanel, { types: TYPES })).page
  expect(page.text()).toContain('No jobs are running.')
})

test('when the job ends that somebody is at, the focus is not lost', async () => {
  const live = fakeLive([running(7)])
  page = (await show(RunningPanel, { live, types: TYPES })).page
  page.get<HTMLElement>('li button').element.focus()
  live.tell(aQueuedJob(7, { state: 'succeeded' }))
  await page.vm.$nextTick()
  expect(document.activeElement?.textContent).toBe('Running now')
})

test('places are those among all jobs, also where one type is shown', async () => {
  const live = fakeLive([aQueuedJob(8), aQueuedJob(7, { type: 'hello' })])
  live.runner.value = aRunner({
    lanes: { main: aLane({ job: 7, waiting_for: 'job 6' }, { job: 8, waiting_for: 'job 7' }) },
  })
  page = (await show(WaitingPanel, { live, types: TYPES, props: { only: 'backport' } })).page
  expect(links()).toEqual(['Job 8: Backport'])
  expect(page.get('.waiting-panel__place').text()).toBe('Position 2')
  expect(page.text()).toContain('Waiting: job 7')
})

test('a pause and a runner that is not there are told above all', async () => {
  const live = fakeLive([aQueuedJob(8, { waiting_for: 'New jobs are paused: Lunch' })])
  live.runner.value = aRunner({ lanes: {}, paused: 'Lunch' })
  page = (await show(WaitingPanel, { live, types: TYPES })).page
  expect(page.text().match(/New jobs are paused: Lunch/g)).toHaveLength(1)
  live.runner.value = aRunner({ lanes: {}, up: false, paused: 'Lunch' })
  await page.vm.$nextTick()
  expect(page.text()).toContain('The job runner is not running.')
})
