import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { effectScope, nextTick, ref, type EffectScope, type Ref } from 'vue'

import { useFilterText } from './filterText.ts'

interface Filter {
  user: string
  q: string
  event: string
}

let scope: EffectScope

beforeEach(() => {
  vi.useFakeTimers()
  scope = effectScope()
})

afterEach(() => {
  scope.stop()
  vi.useRealTimers()
})

function begin(delay = 300): { filter: Ref<Filter> } & ReturnType<typeof useFilterText<Filter, 'user' | 'q'>> {
  const filter = ref({ user: '', q: '', event: '' })
  const typed = scope.run(() => useFilterText(filter, ['user', 'q'], delay))
  if (typed === undefined) {
    throw new Error('the scope has ended')
  }
  return { filter, ...typed }
}

test('what is typed counts a moment after the last letter, without blanks around it', () => {
  const { filter, type } = begin()
  type('user', ' alice ')
  vi.advanceTimersByTime(299)
  expect(filter.value.user).toBe('')
  vi.advanceTimersByTime(1)
  expect(filter.value).toEqual({ user: 'alice', q: '', event: '' })
})

test('without a delay it counts at once, and blanks that are being typed stay', async () => {
  const { filter, typed, type } = begin(0)
  type('q', 'two ')
  expect(filter.value.q).toBe('two')
  await nextTick()
  expect(typed.q).toBe('two ')
})

test('another change takes along what is typed, and it does not count twice', () => {
  const { filter, type, change } = begin()
  type('q', 'needle')
  change({ event: 'answer' })
  const changed = filter.value
  expect(changed).toEqual({ user: '', q: 'needle', event: 'answer' })
  vi.runAllTimers()
  expect(filter.value).toBe(changed)
})

test('the fields follow the address, but for what somebody is typing into another one', async () => {
  const { filter, typed } = begin()
  typed.user = 'al'
  filter.value = { ...filter.value, q: 'from a link' }
  await nextTick()
  expect(typed).toEqual({ user: 'al', q: 'from a link' })
})
