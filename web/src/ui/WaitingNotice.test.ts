import { flushPromises, mount } from '@vue/test-utils'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { nextTick, type ShallowRef } from 'vue'

import { waiting as shown, type Waiting } from '@/api/sending.ts'

import WaitingNotice from './WaitingNotice.vue'

vi.mock('@/api/sending.ts', async () => ({ waiting: (await import('vue')).shallowRef([]) }))

const waiting = shown as ShallowRef<readonly Waiting[]>

const show = () => mount(WaitingNotice, { attachTo: document.body })
let notice: ReturnType<typeof show>

beforeEach(() => {
  waiting.value = []
  notice = show()
})

afterEach(() => notice.unmount())

test('it says what waits, how many, and nothing otherwise', async () => {
  expect(notice.text()).toBe('')
  waiting.value = [{ cancel: vi.fn() }]
  await nextTick()
  expect(notice.get('[role=status]').text()).toMatch(/^Waiting for a connection: other tabs .* Your request is sent/)
  waiting.value = [{ cancel: vi.fn() }, { cancel: vi.fn() }]
  await nextTick()
  expect(notice.get('[role=region]').text()).toContain('Your 2 requests are sent as soon as one is free.')
  waiting.value = []
  await nextTick()
  expect(notice.text()).toBe('')
})

test('all that waits is cancelled, and the keyboard stays on the page', async () => {
  const content = document.createElement('main')
  Object.assign(content, { id: 'content', tabIndex: -1 })
  document.body.append(content)
  const forget = () => (waiting.value = [])
  const all = [vi.fn(forget), vi.fn(forget)]
  waiting.value = all.map((cancel) => ({ cancel }))
  await nextTick()
  const button = notice.get('button')
  button.element.focus()
  await button.trigger('click')
  await flushPromises()
  expect(all.map((cancel) => cancel.mock.calls.length)).toEqual([1, 1])
  expect(document.activeElement).toBe(content)
  content.remove()
})
