import { flushPromises, mount, type VueWrapper } from '@vue/test-utils'
import { afterEach, expect, test, vi } from 'vitest'
import { defineComponent, ref } from 'vue'

import { ApiError } from '@/api/client.ts'

import ConfirmDialog from './ConfirmDialog.vue'

const perform = vi.fn<(code: string) => Promise<void>>()
const done = vi.fn()

let page: VueWrapper

function open(wantsCode = false): void {
  const Host = defineComponent({
    components: { ConfirmDialog },
    setup: () => ({ isOpen: ref(false), perform, done, wantsCode }),
    template: `
      <button id="opener" @click="isOpen = true">Ask…</button>
      <ConfirmDialog v-model:open="isOpen" title="Sure?" action="Do it" :wants-code :perform @done="done">
        <p>It is for ever.</p>
      </ConfirmDialog>`,
  })
  page = mount(Host, { attachTo: document.body })
  const opener = document.querySelector<HTMLButtonElement>('#opener')
  opener?.focus()
  opener?.click()
}

const dialog = () => document.querySelector('[role=dialog]')
const text = () => dialog()?.textContent ?? ''
const button = (label: string) =>
  [...document.querySelectorAll('button')].find((one) => one.textContent.trim() === label)

async function press(label: string): Promise<void> {
  button(label)?.click()
  await flushPromises()
}

afterEach(() => {
  page.unmount()
  perform.mockReset()
  done.mockReset()
})

test('it is done once, and then the focus is where it was', async () => {
  let finish: () => void = () => undefined
  perform.mockImplementation(() => new Promise((resolve) => (finish = resolve)))
  open()
  await flushPromises()
  expect(text()).toContain('It is for ever.')
  await press('Do it')
  await press('Sending…')
  await press('Cancel')
  expect(perform).toHaveBeenCalledOnce()
  expect(dialog()).not.toBeNull()
  done.mockImplementation(() => expect(document.activeElement?.id).toBe('opener'))
  finish()
  await flushPromises()
  expect(done).toHaveBeenCalledOnce()
})

test('what goes wrong is told in it, and it can be tried again', async () => {
  perform.mockRejectedValueOnce(new ApiError('The state directory cannot be written', 503)).mockResolvedValueOnce()
  open()
  await flushPromises()
  await press('Do it')
  expect(text()).toContain('The state directory cannot be written.')
  expect(done).not.toHaveBeenCalled()
  await press('Do it')
  expect(done).toHaveBeenCalledOnce()
})

test('nothing is done by who cancels', async () => {
  open()
  await flushPromises()
  await press('Cancel')
  expect([perform.mock.calls, done.mock.calls]).toEqual([[], []])
})

test('a code is asked for, taken as people type it, and gone when it was refused', async () => {
  perform.mockRejectedValueOnce(new ApiError('That code is not right', 400))
  open(true)
  await flushPromises()
  const field = dialog()?.querySelector('input')
  expect(document.activeElement).toBe(field)
  await press('Do it')
  expect(perform).not.toHaveBeenCalled()
  expect(text()).toContain('Enter a code.')
  if (field) {
    field.value = '123 456'
    field.dispatchEvent(new Event('input'))
  }
  await press('Do it')
  expect(perform).toHaveBeenCalledExactlyOnceWith('123456')
  expect(text()).toContain('That code is not right.')
  expect([field?.value, document.activeElement === field]).toEqual(['', true])
})

test('what is typed as soon as a refusal is shown stays', async () => {
  perform.mockRejectedValue(new ApiError('The code is wrong', 400))
  open(true)
  await flushPromises()
  const field = () => document.querySelector('[role=dialog] input') as HTMLInputElement
  const type = (text: string) => {
    field().value = text
    field().dispatchEvent(new Event('input'))
  }
  const shown = new MutationObserver(() => {
    if (text().includes('The code is wrong.')) {
      shown.disconnect()
      type('111111')
    }
  })
  shown.observe(document.body, { childList: true, subtree: true, characterData: true })
  type('111111')
  await press('Do it')
  expect(text()).toContain('The code is wrong.')
  expect(field().value).toBe('111111')
  await press('Do it')
  expect(perform.mock.lastCall).toEqual(['111111'])
})
