import { flushPromises } from '@vue/test-utils'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { effectScope, type EffectScope } from 'vue'

import { useResource, type Resource } from './resource.ts'

interface Asked {
  signal: AbortSignal
  resolve: (value: string) => void
  reject: (error: Error) => void
}

let scope: EffectScope
let asked: Asked[]
let resource: Resource<string>

beforeEach(() => {
  scope = effectScope()
  asked = []
  const question = (signal: AbortSignal) =>
    new Promise<string>((resolve, reject) => asked.push({ signal, resolve, reject }))
  const run = scope.run(() => useResource(question))
  if (run === undefined) {
    throw new Error('the scope has ended')
  }
  resource = run
})

afterEach(() => scope.stop())

test('it is asked at once, and what was known stays when it cannot be asked again', async () => {
  asked[0]?.resolve('one')
  await flushPromises()
  expect(resource.value.value).toBe('one')
  void resource.load()
  asked[1]?.reject(new Error('SpiderPig cannot be reached'))
  await flushPromises()
  expect([resource.value.value, resource.problem.value]).toEqual(['one', 'SpiderPig cannot be reached'])
  void resource.load()
  asked[2]?.resolve('two')
  await flushPromises()
  expect([resource.value.value, resource.problem.value]).toEqual(['two', null])
})

test('only the last attempt counts, and none once nobody waits', async () => {
  void resource.load()
  expect(asked.map(({ signal }) => signal.aborted)).toEqual([true, false])
  asked[1]?.resolve('second')
  asked[0]?.resolve('first')
  await flushPromises()
  expect(resource.value.value).toBe('second')
  void resource.load()
  scope.stop()
  asked[2]?.reject(new Error('too late'))
  await flushPromises()
  expect([resource.value.value, resource.problem.value]).toEqual(['second', null])
})

test('what could not be asked is asked again by itself', async () => {
  vi.useFakeTimers()
  asked[0]?.reject(new Error('SpiderPig cannot be reached'))
  await vi.advanceTimersByTimeAsync(0)
  expect(resource.retryAt.value).toBeGreaterThan(Date.now())
  await vi.advanceTimersByTimeAsync(1000)
  asked[1]?.resolve('one')
  await vi.advanceTimersByTimeAsync(0)
  expect([resource.value.value, resource.problem.value, resource.retryAt.value]).toEqual(['one', null, null])
  vi.useRealTimers()
})
