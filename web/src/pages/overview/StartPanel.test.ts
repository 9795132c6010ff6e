import type { VueWrapper } from '@vue/test-utils'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'

import { api } from '@/api/client.ts'
import { aJobType, aParam, aPerson } from '@/api/testing.ts'

import { lastType } from './lastType.ts'
import StartPanel from './StartPanel.vue'
import { show } from '@/state/testing.ts'

const BACKPORT = aJobType([aParam({ name: 'change', kind: 'gerrit-change', many: true })])
const HELLO = aJobType([aParam({ name: 'user' }), aParam({ name: 'times' })], { name: 'hello', title: 'Greeting' })

let page: VueWrapper

beforeEach(() => {
  vi.spyOn(api, 'changes').mockReturnValue(new Promise(() => undefined))
  vi.spyOn(api, 'preflight').mockReturnValue(new Promise(() => undefined))
})

afterEach(() => {
  page.unmount()
  lastType.value = ''
})

async function open(only: string | null, at = '/', types = [BACKPORT, HELLO]) {
  page = (await show(StartPanel, { props: { only }, types, at })).page
}

function values(): string[] {
  return page.findAll<HTMLInputElement>('form input').map((input) => input.element.value)
}

test('the train is moved from its own page', async () => {
  await open('train', '/start/train', [aJobType([], { name: 'train', title: 'Train' })])
  expect(page.find('form').exists()).toBe(false)
  expect(page.get('a').attributes('href')).toBe('/mediawiki/train')
})

test('the first type is there to be started, or the one that was started last', async () => {
  await open(null)
  expect(page.get('[type="submit"]').text()).toBe('Start Backport')
  page.unmount()
  lastType.value = 'hello'
  await open(null)
  expect(page.get('[type="submit"]').text()).toBe('Start Greeting')
  expect(page.get('[role="combobox"]').text()).toBe('Greeting')
})

test('a type that was started last but is gone does no harm', async () => {
  lastType.value = 'gone'
  await open(null)
  expect(page.get('[type="submit"]').text()).toBe('Start Backport')
})

test('where there is one type there is no choice', async () => {
  await open(null, '/', [HELLO])
  expect(page.find('[role="combobox"]').exists()).toBe(false)
})

test('an unknown type is said to be unknown', async () => {
  await open('gone')
  expect(page.text()).toContain('The job type gone does not exist')
  expect(page.find('form').exists()).toBe(false)
})

test('an address fills in the form, but for the words of the filter', async () => {
  await open('hello', '/start/hello?times=3&user=bob')
  expect(values()).toEqual(['', '3'])
})

async function chips(): Promise<string[]> {
  await vi.dynamicImportSettled()
  await vi.waitFor(() => expect(page.find('.value-chips').exists()).toBe(true))
  return page.findAll('.value-chips__text').map((value) => value.text())
}

test('an address gives several values', async () => {
  await open('backport', '/start/backport?change=42&change=43')
  expect(await chips()).toEqual(['42', '43'])
})

test('links of the first SpiderPig choose a backport and its changes', async () => {
  lastType.value = 'hello'
  await open(null, '/?backport=42,43&backport=44', [HELLO, BACKPORT])
  expect(page.get('[type="submit"]').text()).toBe('Start Backport')
  expect(await chips()).toEqual(['42', '43', '44'])
  page.unmount()
  await open('hello', '/start/hello?backport=42')
  expect(values()).toEqual(['', ''])
})

test('such a link does no harm where there is no such type', async () => {
  await open(null, '/?backport=42', [HELLO])
  expect(page.get('[type="submit"]').text()).toBe('Start Greeting')
  expect(values()).toEqual(['', ''])
})

test('who may only look is told so, and has no form', async () => {
  page = (await show(StartPanel, { types: [HELLO], who: aPerson({ mayStart: false }) })).page
  expect(page.find('form').exists()).toBe(false)
  expect(page.text()).toContain('You can view jobs, but not start or answer them.')
})
