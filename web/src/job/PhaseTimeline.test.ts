import { mount } from '@vue/test-utils'
import { expect, test } from 'vitest'

import { aJob } from '@/api/testing.ts'
import type { LogMark } from '@/api/types.ts'

import PhaseTimeline from './PhaseTimeline.vue'

const job = aJob({ started_at: 0, finished_at: 100, state: 'succeeded' })
const marks: LogMark[] = [
  { recno: 1, time: '1970-01-01T00:00:00Z', type: 'status', status: 'Build' },
  { recno: 7, time: '1970-01-01T00:00:25Z', type: 'status', status: 'Sync' },
]

test('each phase has its name, its duration and its share, and leads to the log', async () => {
  const timeline = mount(PhaseTimeline, { props: { job, marks } })
  expect(timeline.findAll('.phase-timeline__segment').map((one) => one.attributes('title'))).toEqual([
    'Build: 25 s',
    'Sync: 1 min 15 s',
  ])
  expect(timeline.findAll('tbody tr').map((row) => row.text())).toEqual([
    expect.stringMatching(/^Build.*25 s25 %$/),
    expect.stringMatching(/^Sync.*1 min 15 s75 %$/),
  ])
  await timeline.findAll('tbody button')[1]?.trigger('click')
  expect(timeline.emitted('show')).toEqual([[7]])
})

test('a job without a status has no timeline', () => {
  expect(
    mount(PhaseTimeline, { props: { job, marks: [] } })
      .find('section')
      .exists(),
  ).toBe(false)
})
