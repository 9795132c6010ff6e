import { mount, type VueWrapper } from '@vue/test-utils'
import { afterEach, expect, test, vi } from 'vitest'
import { defineComponent, h, shallowRef } from 'vue'

import { aParam } from '@/api/testing.ts'
import type { Param } from '@/api/types.ts'

import ValuesInput from './ValuesInput.vue'

const CHANGES = aParam({ name: 'changes', title: 'Changes', kind: 'gerrit-change', many: true })

let page: VueWrapper

afterEach(() => page.unmount())

/** The field within a form. */
function show(param: Param, before: string[] = []) {
  const values = shallowRef(before)
  const submit = vi.fn((event: Event) => event.preventDefault())
  const Form = defineComponent(
    () => () =>
      h('form', { onSubmit: submit }, [
        h(ValuesInput, {
          param,
          isWrong: false,
          modelValue: values.value,
          'onUpdate:modelValue': (now: string[]) => (values.value = now),
        }),
      ]),
  )
  page = mount(Form, { attachTo: document.body })
  const input = page.get('input')
  return {
    values,
    input,
    chips: () => page.findAll('li').map((chip) => chip.text()),
    paste: (text: string) => {
      const event = new Event('paste', { bubbles: true, cancelable: true })
      Object.assign(event, { clipboardData: { getData: () => text } })
      input.element.dispatchEvent(event)
      return event
    },
    enter: () => {
      const event = new KeyboardEvent('keydown', { key: 'Enter', bubbles: true, cancelable: true })
      input.element.dispatchEvent(event)
      return event
    },
  }
}

test('what is pasted becomes values, and Enter is then for the form', async () => {
  const { values, chips, paste, enter } = show(CHANGES, ['41'])
  expect(paste('42, 43\n41 https://x/44').defaultPrevented).toBe(true)
  await page.vm.$nextTick()
  expect(values.value).toEqual(['41', '42', '43', 'https://x/44'])
  expect(chips()).toEqual(values.value)
  expect(enter().defaultPrevented).toBe(false)
})

test('what is typed counts without an Enter', async () => {
  const { values, input, chips } = show(CHANGES, ['41'])
  await input.setValue('42 4')
  expect(values.value).toEqual(['41', '42', '4'])
  expect(chips()).toEqual(['41'])
  await input.setValue('42 43')
  expect(values.value).toEqual(['41', '42', '43'])
  await input.setValue('')
  expect(values.value).toEqual(['41'])
})

test('Enter makes a value of what is typed, and does not send the form', async () => {
  const { values, input, chips, enter } = show(CHANGES)
  await input.setValue('42')
  expect(enter().defaultPrevented).toBe(true)
  await page.vm.$nextTick()
  expect(values.value).toEqual(['42'])
  expect(chips()).toEqual(['42'])
  expect(input.element.value).toBe('')
})

test('one text that is pasted may be a part of another', () => {
  const { values, paste } = show(aParam({ many: true }))
  expect(paste('two words').defaultPrevented).toBe(false)
  expect(paste('two words\nmore').defaultPrevented).toBe(true)
  expect(values.value).toEqual(['two words', 'more'])
})

test('a value that is removed gives the focus to the next, and the last one to the field', async () => {
  const { values, input } = show(CHANGES, ['41', '42'])
  await page.get('[aria-label="Remove 41"]').trigger('click')
  await page.vm.$nextTick()
  expect(values.value).toEqual(['42'])
  expect(document.activeElement?.getAttribute('aria-label')).toBe('Remove 42')
  await page.get('[aria-label="Remove 42"]').trigger('click')
  await page.vm.$nextTick()
  expect(document.activeElement).toBe(input.element)
})

test('Backspace in the empty field takes the last value back', async () => {
  const { values, input, chips } = show(CHANGES, ['41', '42'])
  await input.trigger('keydown', { key: 'Backspace' })
  expect(input.element.value).toBe('42')
  expect(chips()).toEqual(['41'])
  await input.setValue('43')
  expect(values.value).toEqual(['41', '43'])
})

test('a secret is never shown', () => {
  const { chips, input } = show(aParam({ many: true, sensitive: true }), ['secret'])
  expect(chips()).toEqual(['•••'])
  expect(input.attributes('type')).toBe('password')
  expect(page.html()).not.toContain('secret')
})
