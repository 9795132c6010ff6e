import { flushPromises, type VueWrapper } from '@vue/test-utils'
import { afterEach, expect, test, vi } from 'vitest'
import { shallowRef } from 'vue'
import type { Router } from 'vue-router'

import { api, ApiError } from '@/api/client.ts'
import type { MediaWikiErrors, Monitoring } from '@/api/types.ts'
import { fakeLive, show } from '@/state/testing.ts'

import ErrorsPage from './ErrorsPage.vue'

vi.mock('@/ui/clock.ts', () => ({ useNow: () => shallowRef(1_060_000) }))

const errors = (log: MediaWikiErrors['log'], time: number | null = 1000): MediaWikiErrors => ({
  message: 'The errors that MediaWiki logs',
  problem: null,
  log,
  total: time === null ? null : Object.values(log).reduce((total, { count }) => total + count, 0),
  time,
})
const FIRST = { 'No such table': { count: 3, versions: ['v1'] }, 'Too slow': { count: 40, versions: ['v1', 'v2'] } }

let page: VueWrapper
let router: Router
let monitoring = shallowRef<Monitoring | null>(null)

async function open(answer: MediaWikiErrors | Error, at = '/') {
  const asked = vi.spyOn(api, 'mediaWikiErrors')
  if (answer instanceof Error) {
    asked.mockRejectedValue(answer)
  } else {
    asked.mockResolvedValue(answer)
  }
  monitoring = shallowRef({ train: null, mediawiki: { time: 1000, total: 43 } })
  ;({ page, router } = await show(ErrorsPage, { live: Object.assign(fakeLive(), { monitoring }), at }))
  await flushPromises()
  return asked
}

const words = () => page.text().replaceAll(/\s+/g, ' ')
const rows = () => page.findAll('.error-list__item').map((row) => row.text().replaceAll(/\s+/g, ' '))

afterEach(() => {
  page.unmount()
})

test('has each message with its count and versions, the total, and the age', async () => {
  await open(errors(FIRST))
  expect(rows()).toEqual(['40 timesToo slowv1v2', '3 timesNo such tablev1'])
  expect(words()).toContain('2 messages, 43 errors in all')
  expect(words()).toContain('1 min ago')
  expect(words()).toContain('Nothing new since')
})

test('marks what is new and what has risen since it was opened, until somebody has seen it', async () => {
  const asked = await open(errors(FIRST))
  asked.mockResolvedValue(
    errors({ ...FIRST, 'Too slow': { count: 42, versions: ['v1'] }, Fresh: { count: 1, versions: [] } }, 1010),
  )
  monitoring.value = { train: null, mediawiki: { time: 1010, total: 46 } }
  await flushPromises()
  expect(rows()).toEqual(['42 times2 moreToo slowv1', '3 timesNo such tablev1', '1 timesNewFreshNo version'])
  expect(words()).toContain('2 new or increased since')
  await page.get('.errors-page__since button').trigger('click')
  expect(rows()[0]).toBe('42 timesToo slowv1')
})

test('keeps in the address what is filtered', async () => {
  await open(errors(FIRST), '/?q=slow')
  expect(rows()).toEqual(['40 timesToo slowv1v2'])
  expect(words()).toContain('1 of 2 messages')
  await page.get('input[type="search"]').setValue('table')
  await flushPromises()
  expect(router.currentRoute.value.query).toEqual({ q: 'table' })
  expect(rows()).toEqual(['3 timesNo such tablev1'])
  await page.get('input[type="search"]').setValue('nothing')
  await flushPromises()
  expect(words()).toContain('No errors match.')
  await page.get('.filter-form > button').trigger('click')
  await flushPromises()
  expect(router.currentRoute.value.query).toEqual({})
  expect(rows()).toHaveLength(2)
})

test('has the words of the server when nothing is known, and says so when there are none', async () => {
  const asked = await open({ ...errors({}, null), message: 'The errors are unknown' })
  expect(words()).toContain('The errors are unknown.')
  asked.mockResolvedValue(errors({}))
  monitoring.value = { train: null, mediawiki: { time: 1000, total: 0 } }
  await flushPromises()
  expect(words()).toContain('No errors are reported.')
})

test('warns when what was reported last could not be read', async () => {
  await open({ ...errors(FIRST), problem: 'it is not JSON', message: 'This may be old: it is not JSON' })
  expect(page.get('.cdx-message--warning').text()).toBe('This may be old: it is not JSON.')
  expect(rows()).toHaveLength(2)
})

test('says why it could not be loaded, and tries again', async () => {
  const asked = await open(new ApiError('SpiderPig cannot be reached', 0))
  expect(words()).toContain('SpiderPig cannot be reached.')
  asked.mockResolvedValue(errors(FIRST))
  await page.get('button').trigger('click')
  await flushPromises()
  expect(rows()).toHaveLength(2)
})

test('of a long message shows the beginning, and the rest for who wants it', async () => {
  const long = `${'x'.repeat(300)}\nend`
  await open(errors({ [long]: { count: 1, versions: [] } }))
  const button = page.get('.error-message button')
  expect(page.get('.error-message__text').text()).toBe(`${'x'.repeat(240)}…`)
  expect(button.text()).toBe('Show all 304 characters')
  await button.trigger('click')
  expect(page.get('.error-message__text').text()).toBe(long)
  expect(button.attributes('aria-expanded')).toBe('true')
})
