import type { VueWrapper } from '@vue/test-utils'
import { afterEach, expect, test } from 'vitest'

import { lastType } from './lastType.ts'
import StartPanel from './StartPanel.vue'
import { jobType, param, show } from './testing.ts'

const BACKPORT = jobType([param({ name: 'change', kind: 'gerrit-change', many: true })])
const HELLO = jobType([param({ name: 'user' }), param({ name: 'times' })], { name: 'hello', title: 'Greeting' })

let page: VueWrapper

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
  expect(page.text()).toContain('There is no job type gone')
  expect(page.find('form').exists()).toBe(false)
})

test('an address fills in the form, but for the words of the filter', async () => {
  await open('hello', '/start/hello?times=3&user=bob')
  expect(values()).toEqual(['', '3'])
})

test('an address gives several values', async () => {
  await open('backport', '/start/backport?change=42&change=43')
  expect(page.findAll('.values-input__text').map((value) => value.text())).toEqual(['42', '43'])
})
