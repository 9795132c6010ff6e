import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { effectScope, nextTick, shallowRef } from 'vue'

import { useNews, type News } from './news.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const total = shallowRef(0)
const isFollowing = shallowRef(true)
const news = (): News => {
  total.value = 100
  isFollowing.value = true
  return effectScope().run(() => useNews(total, isFollowing)) as News
}

test('records are new that come while the end is not shown', () => {
  const { fresh } = news()
  total.value = 110
  expect(fresh.value).toBe(0)
  isFollowing.value = false
  total.value = 113
  expect(fresh.value).toBe(3)
  total.value = 120
  expect(fresh.value).toBe(10)
  isFollowing.value = true
  expect(fresh.value).toBe(0)
})

test('what comes is told of every few seconds, however much it is', async () => {
  const { said } = news()
  total.value = 101
  await nextTick()
  const told: string[] = []
  for (let turn = 0; turn < 100; turn += 1) {
    total.value += 10
    await vi.advanceTimersByTimeAsync(100)
    if (said.value !== told.at(-1)) {
      told.push(said.value)
    }
  }
  expect(told.filter((words) => words !== '')).toEqual(['500 new records'])
  expect(total.value).toBe(1101)
  await vi.advanceTimersByTimeAsync(5000)
  expect(said.value).toMatch(/^\d+ new records$/)
})
