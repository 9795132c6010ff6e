import { describe, expect, test } from 'vitest'

import { aJob } from '@/api/testing.ts'

import { isWatched, setWatched } from './watched.ts'

describe('a person watches a job', () => {
  test('who started it, until they choose otherwise', () => {
    const job = aJob({ id: 6, user: 'alice' })
    expect(isWatched(job, 'alice')).toBe(true)
    expect(isWatched(job, 'bob')).toBe(false)
    expect(isWatched(job, null)).toBe(false)
    setWatched(job, 'alice', false)
    expect(isWatched(job, 'alice')).toBe(false)
    setWatched(job, 'alice', true)
    expect(isWatched(job, 'alice')).toBe(true)
  })

  test('who chose to watch it, until they choose otherwise', () => {
    const job = aJob({ id: 7 })
    setWatched(job, 'bob', true)
    expect(isWatched(job, 'bob')).toBe(true)
    expect(isWatched(aJob({ id: 8 }), 'bob')).toBe(false)
    setWatched(job, 'bob', false)
    expect(isWatched(job, 'bob')).toBe(false)
  })
})

test('the 200 choices that were made last are kept', () => {
  const watch = (id: number) => setWatched(aJob({ id }), 'bob', true)
  const isWatchedById = (id: number) => isWatched(aJob({ id }), 'bob')
  for (let id = 1; id <= 200; id += 1) {
    watch(id)
  }
  watch(1)
  watch(201)
  expect(isWatchedById(1)).toBe(true)
  expect(isWatchedById(2)).toBe(false)
  expect(isWatchedById(201)).toBe(true)
  expect(JSON.parse(localStorage.getItem('spiderpig.watched') ?? '')).toHaveLength(200)
})
