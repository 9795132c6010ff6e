import { flushPromises } from '@vue/test-utils'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { effectScope, shallowRef, type EffectScope } from 'vue'

import { PAUSE, useDebouncedRequest } from './debouncedRequest.ts'

const texts = shallowRef<string[]>([])
let scope: EffectScope
let pending: { asked: string[]; signal: AbortSignal; answer: (text: string) => void; fail: (error: Error) => void }[]

beforeEach(() => {
  vi.useFakeTimers()
  texts.value = []
  pending = []
  scope = effectScope()
})

afterEach(() => {
  scope.stop()
  vi.useRealTimers()
})

function use() {
  const send = (asked: string[], signal: AbortSignal) =>
    new Promise<string>((answer, fail) => pending.push({ asked, signal, answer, fail }))
  const request = scope.run(() => useDebouncedRequest(() => texts.value, send))
  if (request === undefined) {
    throw new Error('the scope has ended')
  }
  return request
}

test('it is asked a moment after the last change, and not about nothing', async () => {
  const { answer, isAsking } = use()
  vi.advanceTimersByTime(PAUSE)
  expect(pending).toEqual([])
  expect(isAsking.value).toBe(false)
  texts.value = ['1']
  vi.advanceTimersByTime(PAUSE - 1)
  texts.value = ['12']
  vi.advanceTimersByTime(PAUSE - 1)
  expect(pending).toEqual([])
  expect(isAsking.value).toBe(true)
  vi.advanceTimersByTime(1)
  expect(pending.map(({ asked }) => asked)).toEqual([['12']])
  pending[0]?.answer('twelve')
  await flushPromises()
  expect([answer.value, isAsking.value]).toEqual(['twelve', false])
})

test('the same texts in another list are no other question', () => {
  use()
  texts.value = ['1']
  vi.advanceTimersByTime(PAUSE)
  texts.value = ['1']
  vi.advanceTimersByTime(PAUSE)
  expect(pending).toHaveLength(1)
  expect(pending[0]?.signal.aborted).toBe(false)
})

test('a question that is not the last one is given up, and its answer does not count', async () => {
  const { answer, problem } = use()
  texts.value = ['1']
  vi.advanceTimersByTime(PAUSE)
  texts.value = ['2']
  expect(pending[0]?.signal.aborted).toBe(true)
  vi.advanceTimersByTime(PAUSE)
  pending[1]?.answer('two')
  await flushPromises()
  pending[0]?.answer('one')
  await flushPromises()
  expect(answer.value).toBe('two')
  texts.value = ['3']
  vi.advanceTimersByTime(PAUSE)
  texts.value = ['4']
  pending[2]?.fail(new Error('late'))
  await flushPromises()
  expect(problem.value).toBeNull()
})

test('why it could not be asked is told until it is asked again', async () => {
  const { answer, problem, isAsking, ask } = use()
  texts.value = ['1']
  vi.advanceTimersByTime(PAUSE)
  pending[0]?.fail(new Error('SpiderPig cannot be reached'))
  await flushPromises()
  expect([answer.value, problem.value, isAsking.value]).toEqual([null, 'SpiderPig cannot be reached', false])
  ask()
  expect([problem.value, isAsking.value, pending.length]).toEqual([null, true, 2])
})

test('what could not be asked is asked again by itself, and nobody is kept waiting by that', async () => {
  const { answer, problem, isAsking } = use()
  texts.value = ['1']
  vi.advanceTimersByTime(PAUSE)
  pending[0]?.fail(new Error('SpiderPig cannot be reached'))
  await flushPromises()
  vi.advanceTimersByTime(1000)
  expect([problem.value, isAsking.value, pending.length]).toEqual(['SpiderPig cannot be reached', false, 2])
  pending[1]?.answer('one')
  await flushPromises()
  expect([answer.value, problem.value]).toEqual(['one', null])
})

test('who waits until it is settled does not wait for the pause, but for the last question', async () => {
  const { settled } = use()
  const after = vi.fn()
  await settled()
  texts.value = ['1']
  void settled().then(after)
  await flushPromises()
  expect(pending).toHaveLength(1)
  texts.value = ['2']
  pending[0]?.answer('one')
  await flushPromises()
  expect(after).not.toHaveBeenCalled()
  pending[1]?.answer('two')
  await flushPromises()
  expect(after).toHaveBeenCalledOnce()
})

test('nothing is asked for a component that is gone', () => {
  use()
  texts.value = ['1']
  vi.advanceTimersByTime(PAUSE)
  texts.value = ['2']
  scope.stop()
  vi.advanceTimersByTime(PAUSE)
  expect(pending).toHaveLength(1)
  expect(pending[0]?.signal.aborted).toBe(true)
})
