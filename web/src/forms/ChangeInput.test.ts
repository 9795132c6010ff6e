import { flushPromises, mount, type VueWrapper } from '@vue/test-utils'
import { afterEach, beforeEach, expect, test, vi, type MockInstance } from 'vitest'
import { defineComponent, h, shallowRef } from 'vue'

import { api } from '@/api/client.ts'
import { aParam } from '@/api/testing.ts'
import type { Param } from '@/api/types.ts'
import { PAUSE } from '@/changes/debouncedRequest.ts'
import { found } from '@/changes/testing.ts'

import ChangeInput from './ChangeInput.vue'

const CHANGES = aParam({ name: 'changes', title: 'Changes', kind: 'gerrit-change', many: true })
const ADDRESS = 'https://gerrit.example.org/r/c/mediawiki/core/+/42'

let page: VueWrapper
let changes: MockInstance<typeof api.changes>

beforeEach(() => {
  vi.useFakeTimers()
  changes = vi.spyOn(api, 'changes').mockImplementation((inputs) => Promise.resolve(found(inputs)))
})

afterEach(() => {
  page.unmount()
  vi.useRealTimers()
})

/** The field within a form. */
function show(before: string[] = [], different: Partial<Param> = {}) {
  const values = shallowRef(before)
  const Form = defineComponent(
    () => () =>
      h('form', [
        h(ChangeInput, {
          param: { ...CHANGES, ...different },
          isWrong: false,
          modelValue: values.value,
          'onUpdate:modelValue': (now: string[]) => (values.value = now),
        }),
      ]),
  )
  page = mount(Form, { attachTo: document.body })
  const input = page.get<HTMLInputElement>('[role="combobox"]')
  input.element.focus()
  return { values, input }
}

async function pause(): Promise<void> {
  vi.advanceTimersByTime(PAUSE)
  await flushPromises()
}

/** Presses a key in the field, and returns whether the field handled it. */
async function press(key: string): Promise<boolean> {
  const event = new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true })
  page.get('[role="combobox"]').element.dispatchEvent(event)
  await flushPromises()
  return event.defaultPrevented
}

async function paste(text: string): Promise<void> {
  const event = new Event('paste', { bubbles: true, cancelable: true })
  Object.assign(event, { clipboardData: { getData: () => text } })
  page.get('[role="combobox"]').element.dispatchEvent(event)
  await flushPromises()
}

const chips = () => page.findAll('.value-chips__text').map((chip) => chip.text())
const options = () => page.findAll('[role="option"]')

test('what is typed is looked up after a pause, and Enter takes the hit, which is chosen already', async () => {
  const { values, input } = show()
  await input.setValue('4')
  await input.setValue('42')
  expect(page.text()).toContain('Looking up 42…')
  await pause()
  expect(changes.mock.calls.map(([inputs]) => inputs)).toEqual([['42']])
  expect(input.attributes('aria-expanded')).toBe('true')
  expect(options().map((option) => option.text())).toEqual(['42 Subject of 42mediawiki/core · master · Open'])
  expect(input.attributes('aria-activedescendant')).toBe(options()[0]?.attributes('id'))
  expect(await press('Enter')).toBe(true)
  expect(values.value).toEqual(['42'])
  expect(chips()).toEqual(['42 Subject of 42'])
  expect([input.element.value, input.attributes('aria-expanded')]).toEqual(['', 'false'])
  expect(await press('Enter')).toBe(false)
  await pause()
  expect(changes).toHaveBeenCalledOnce()
})

test('a hit can be clicked', async () => {
  const { values, input } = show()
  await input.setValue('42')
  await pause()
  await options()[0]?.trigger('click')
  expect(values.value).toEqual(['42'])
})

test('a late answer is not shown for what is typed now', async () => {
  const { input } = show()
  let late: () => void = () => undefined
  changes.mockReturnValueOnce(new Promise((resolve) => (late = () => resolve(found(['4'])))))
  await input.setValue('4')
  await pause()
  await input.setValue('42')
  expect(changes.mock.lastCall?.[1].aborted).toBe(true)
  late()
  await flushPromises()
  expect(options()).toEqual([])
  await pause()
  expect(options()[0]?.text()).toContain('42 Subject of 42')
})

test('why it is not known is said, and it can be used as it is', async () => {
  const { values, input } = show()
  const problem = 'Gerrit does not answer: timed out'
  changes.mockResolvedValue([{ input: '42', change: null, problem }])
  await input.setValue('42')
  await pause()
  expect(options()[0]?.text()).toContain('Use 42 without looking it up')
  expect(page.get('[role="status"]').text()).toContain(problem)
  await press('Enter')
  expect(values.value).toEqual(['42'])
  expect(chips()).toEqual(['42'])
  expect(page.get('.value-chips__text').attributes('title')).toBe(problem)
})

test('what could not be asked for is looked up again by itself', async () => {
  const { input } = show(['42'])
  await input.setValue('')
  changes.mockRejectedValueOnce(new Error('SpiderPig cannot be reached'))
  await pause()
  expect(chips()).toEqual(['42'])
  vi.advanceTimersByTime(1000)
  await flushPromises()
  expect(chips()[0]).toContain('Subject of 42')
  expect(changes).toHaveBeenCalledTimes(2)
})

test('nobody has to wait for an answer, nor for one that fails', async () => {
  const { values, input } = show()
  changes.mockRejectedValue(new Error('SpiderPig cannot be reached'))
  await input.setValue('42')
  await press('Enter')
  expect(values.value).toEqual(['42'])
  await pause()
  expect(page.get('.value-chips__text').attributes('title')).toBe('SpiderPig cannot be reached')
  await pause()
  expect(changes).toHaveBeenCalledOnce()
})

test('what is typed is looked up while Gerrit is slow about another change', async () => {
  const { input } = show()
  changes.mockReturnValueOnce(new Promise(() => undefined))
  await input.setValue('901,')
  await pause()
  const [slow] = changes.mock.calls
  await input.setValue('42')
  await pause()
  expect(changes.mock.lastCall?.[0]).toEqual(['42'])
  expect(slow?.[1].aborted).toBe(false)
  expect(options()[0]?.text()).toContain('42 Subject of 42')
})

test('white space and commas end a change, and what is pasted is several', async () => {
  const { values, input } = show(['41'])
  await input.setValue('42,')
  expect([values.value, input.element.value]).toEqual([['41', '42'], ''])
  await input.setValue(' ')
  expect(values.value).toEqual(['41', '42'])
  await paste(`43, 41\n44 ${ADDRESS.replace('42', '45')}`)
  expect(values.value).toEqual(['41', '42', '43', '44', ADDRESS.replace('42', '45')])
  await pause()
  expect(chips().at(-1)).toBe('45 Subject of 45')
})

test('a number and an address of one change are one change', async () => {
  const { values, input } = show(['42'])
  await pause()
  await input.setValue(ADDRESS)
  await pause()
  await press('Enter')
  expect(values.value).toEqual(['42'])
  expect(page.get('[role="status"]').text()).toContain('Already in the list')
})

test('what cannot be a change is not looked up, and is kept for the form to complain of', async () => {
  const { values, input } = show()
  await input.setValue('abc')
  await pause()
  expect(changes).not.toHaveBeenCalled()
  await press('Enter')
  expect(values.value).toEqual(['abc'])
})

test('Escape closes the menu and keeps the text, and Backspace in the empty field takes the last one back', async () => {
  const { values, input } = show(['41', '42'])
  await press('Backspace')
  expect([values.value, input.element.value]).toEqual([['41'], '42'])
  await pause()
  expect(input.attributes('aria-expanded')).toBe('true')
  await press('Escape')
  expect([input.element.value, input.attributes('aria-expanded')]).toEqual(['42', 'false'])
})

test('a change that is removed gives the focus to the next, and the last one to the field', async () => {
  const { values, input } = show(['41', '42'])
  await page.get('[aria-label="Remove 41"]').trigger('click')
  await flushPromises()
  expect(document.activeElement?.getAttribute('aria-label')).toBe('Remove 42')
  await page.get('[aria-label="Remove 42"]').trigger('click')
  await flushPromises()
  expect(values.value).toEqual([])
  expect(document.activeElement).toBe(input.element)
})

test('where there can be one change the next one replaces it', async () => {
  const { values, input } = show(['41'], { many: false })
  await input.setValue(' 42 ')
  expect(values.value).toEqual(['41'])
  await press('Enter')
  expect(values.value).toEqual(['42'])
  await paste('43')
  expect(values.value).toEqual(['43'])
})
