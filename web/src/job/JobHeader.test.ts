import { afterEach, describe, expect, test } from 'vitest'
import type { VueWrapper } from '@vue/test-utils'

import { aJob, aJobType } from '@/api/testing.ts'
import type { Job } from '@/api/types.ts'
import { show } from '@/state/testing.ts'

import JobHeader from './JobHeader.vue'

let page: VueWrapper

async function open(job: Partial<Job>): Promise<void> {
  page = (await show(JobHeader, { props: { job: aJob(job) }, types: [aJobType()] })).page
}

const becomes = (job: Partial<Job>) => page.setProps({ job: aJob(job) })
/** The announcement for screen readers; the actions have their own. */
const said = () => page.get('p[role=status]').text()

afterEach(() => page.unmount())

describe('the end of a job', () => {
  test('is told in words, beside the word for it', async () => {
    await open({ state: 'succeeded', outcome: 'cancelled_at_prompt', reason: 'answered “n”', outcome_by: 'bob' })
    expect(page.get('.cdx-info-chip').text()).toBe('Cancelled at a prompt')
    expect(page.get('.cdx-info-chip').classes()).not.toContain('cdx-info-chip--success')
    expect(page.text()).toContain('answered “n”, by bob')
  })

  test('has the last error, which leads to its line in the log', async () => {
    const last_error = { recno: 34, line: 'fatal: no space' }
    await open({ id: 7, state: 'failed', outcome: 'failed', exit_status: 1, phase: 'Syncing', last_error })
    expect(page.text()).toContain('exit status 1, in the phase “Syncing”')
    const link = page.get('.job-outcome__error')
    expect(link.attributes('href')).toBe('/jobs/7#L34')
    await link.trigger('click')
    expect(page.emitted('show')).toEqual([[34]])
  })

  test('is read out when it comes, and not when the page is opened', async () => {
    await open({ id: 7, state: 'failed', outcome: 'failed' })
    expect(said()).toBe('')
    page.unmount()
    await open({ id: 7, state: 'running' })
    await becomes({ id: 7, state: 'failed', outcome: 'rolled_back', reason: 'answered “r”' })
    expect(said()).toBe('Job 7: Rolled back. answered “r”')
  })
})

test('a job that prints nothing is warned of, with how long, until it prints', async () => {
  await open({ id: 7, quiet_since: Date.now() / 1000 - 750 })
  expect(page.text()).toContain('No output for 12 min. It may be stuck. SpiderPig did not stop it.')
  // Otherwise it would be announced every minute.
  expect(page.get('.cdx-message').attributes('aria-live')).toBeUndefined()
  await becomes({ id: 7 })
  expect(page.find('.cdx-message').exists()).toBe(false)
  await becomes({ id: 7, quiet_since: 1000 })
  expect(said()).toContain('Job 7 has no output.')
})

test('what people must know of a job that runs is shown and read out', async () => {
  await open({ id: 7 })
  expect(page.find('.cdx-message').exists()).toBe(false)
  await becomes({ id: 7, warning: 'It has asked something that cannot be shown.' })
  expect(page.get('.cdx-message--warning').text()).toBe('It has asked something that cannot be shown.')
  expect(said()).toBe('Job 7: It has asked something that cannot be shown.')
  await becomes({ id: 7 })
  expect(page.find('.cdx-message').exists()).toBe(false)
})

test('a job leads to the one that it tries again, and to those that tried it again', async () => {
  await open({ id: 7, retry_of: 3, retries: [12, 15] })
  const links = page.findAll('.job-facts a').map((link) => link.attributes('href'))
  expect(links).toEqual(['/jobs/3', '/jobs/12', '/jobs/15'])
  expect(page.get('.job-facts').text()).toContain('job 12, 15')
})

test('a stop that did not reach all of a job is told, with what to do', async () => {
  await open({
    id: 7,
    state: 'stopping',
    stop_refused: 'the interrupt of bob did not reach process 9 (root); as root: …',
  })
  expect(page.get('.cdx-message').text()).toContain(
    'The stop did not reach all processes of this job. The interrupt of bob did not reach process 9 (root); as root: …',
  )
  await becomes({ id: 7, state: 'stopping' })
  expect(page.find('.cdx-message').exists()).toBe(false)
})

test('what a job took is among its facts, if the kernel counted it', async () => {
  await open({ id: 7, state: 'succeeded', cpu_seconds: 200, memory_peak: 73_400_320 })
  expect(page.text()).toContain('CPU time3 min 20 s')
  expect(page.text()).toContain('Peak memory70 MiB')
  await becomes({ id: 7, state: 'succeeded' })
  expect(page.text()).not.toMatch(/CPU time|Peak memory/)
})
