import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { effectScope, nextTick, shallowRef } from 'vue'

import { useNewRecords, type NewRecords } from './newRecords.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const total = shallowRef(0)
const isFollowing = shallowRef(true)
const newRecordsOf = (): NewRecords => {
  total.value = 100
  isFollowing.value = true
  return effectScope().run(() => useNewRecords(total, isFollowing)) as NewRecords
}

test('records are new that come while the end is not shown', () => {
  const { unseen } = newRecordsOf()
  total.value = 110
  expect(unseen.value).toBe(0)
  isFollowing.value = false
  total.value = 113
  expect(unseen.value).toBe(3)
  total.value = 120
  expect(unseen.value).toBe(10)
  isFollowing.value = true
  expect(unseen.value).toBe(0)
})

test('what comes is told of every few seconds, however much it is', async () => {
  const { announcement } = newRecordsOf()
  total.value = 101
  await nextTick()
  const told: string[] = []
  for (let turn = 0; turn < 100; turn += 1) {
    total.value += 10
    await vi.advanceTimersByTimeAsync(100)
    if (announcement.value !== told.at(-1)) {
      told.push(announcement.value)
    }
  }
  expect(told.filter((words) => words !== '')).toEqual(['500 new records'])
  expect(total.value).toBe(1101)
  await vi.advanceTimersByTimeAsync(5000)
  expect(announcement.value).toMatch(/^\d+ new records$/)
})
