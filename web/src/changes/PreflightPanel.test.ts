import { flushPromises } from '@vue/test-utils'
import { expect, test, vi } from 'vitest'
import { shallowRef } from 'vue'

import type { Preflight } from '@/api/types.ts'
import { show } from '@/state/testing.ts'

import type { Check } from './preflight.ts'
import PreflightPanel from './PreflightPanel.vue'
import { aFinding, preflight } from './testing.ts'

function checkOf(found: Preflight | null, different: Partial<Check> = {}): Check {
  return {
    found: shallowRef(found),
    problem: shallowRef(null),
    retryAt: shallowRef(null),
    isChecking: shallowRef(false),
    obstacle: shallowRef(null),
    again: vi.fn(),
    settled: () => Promise.resolve(),
    ...different,
  }
}

async function open(inputs: string[], check: Check) {
  const { page } = await show(PreflightPanel, { props: { inputs, check } })
  await flushPromises()
  return page
}

test('blockers and warnings are apart, in words, and lead to what they are about', async () => {
  const blocker = aFinding({ code: 'in_job', message: 'It is in a job.', job: 12 })
  const warning = aFinding({ code: 'dependency_unknown', message: 'Depends.', change: 43, url: 'https://g.example/43' })
  const own = aFinding({ change: 42, url: 'https://g.example/42' })
  const page = await open(['42'], checkOf(preflight(['42'], [blocker, own], [warning])))
  expect(page.get('[role="status"]').text()).toBe('2 blockers, 1 warning.')
  const blockers = page.get('[aria-label="Blockers"]')
  expect(blockers.text()).toContain('Blocker: It is in a job.')
  expect(blockers.findAll('a').map((link) => link.attributes('href'))).toEqual(['/jobs/12'])
  const warnings = page.get('[aria-label="Warnings"]')
  expect(warnings.text()).toMatch(/Warning: Depends\.\s+· Change 43/)
  expect(warnings.get('a').attributes('href')).toBe('https://g.example/43')
  page.unmount()
})

test('changes are in the order in which they were chosen, and only those', async () => {
  const page = await open(['43', '44', '42'], checkOf(preflight(['41', '42', '43']), { isChecking: shallowRef(true) }))
  expect(page.findAll('.change-name').map((change) => /\d+/.exec(change.text())?.[0])).toEqual(['43', '42'])
  expect(page.get('[role="status"]').text()).toBe('Checking…')
  page.unmount()
})

test('a change that nobody knows is named as it was given', async () => {
  const [one] = preflight(['x'], [aFinding({ code: 'unknown', message: 'Gerrit has no such change.' })]).changes
  const found: Preflight = { ready: false, problem: null, changes: one ? [{ ...one, change: null }] : [] }
  const page = await open(['x'], checkOf(found))
  expect(page.get('li').text()).toMatch(/^x.*Gerrit has no such change\.$/)
  page.unmount()
})

test('it can be checked again', async () => {
  const check = checkOf(null, { problem: shallowRef('Gerrit does not answer') })
  const page = await open(['42'], check)
  expect(page.text()).toContain('Gerrit does not answer')
  await page.get('button').trigger('click')
  expect(check.again).toHaveBeenCalledOnce()
  page.unmount()
})
