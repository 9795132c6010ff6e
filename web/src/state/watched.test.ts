import { describe, expect, test } from 'vitest'

import { aJob } from '@/api/testing.ts'

import { concerns, setConcern } from './watched.ts'

describe('a job concerns a person', () => {
  test('who started it, until they choose otherwise', () => {
    const job = aJob({ id: 6, user: 'alice' })
    expect(concerns(job, 'alice')).toBe(true)
    expect(concerns(job, 'bob')).toBe(false)
    expect(concerns(job, null)).toBe(false)
    setConcern(job, 'alice', false)
    expect(concerns(job, 'alice')).toBe(false)
    setConcern(job, 'alice', true)
    expect(concerns(job, 'alice')).toBe(true)
  })

  test('who chose to watch it, until they choose otherwise', () => {
    const job = aJob({ id: 7 })
    setConcern(job, 'bob', true)
    expect(concerns(job, 'bob')).toBe(true)
    expect(concerns(aJob({ id: 8 }), 'bob')).toBe(false)
    setConcern(job, 'bob', false)
    expect(concerns(job, 'bob')).toBe(false)
  })
})

test('the 200 choices that were made last are kept', () => {
  const watch = (id: number) => setConcern(aJob({ id }), 'bob', true)
  const isWatched = (id: number) => concerns(aJob({ id }), 'bob')
  for (let id = 1; id <= 200; id += 1) {
    watch(id)
  }
  watch(1)
  watch(201)
  expect(isWatched(1)).toBe(true)
  expect(isWatched(2)).toBe(false)
  expect(isWatched(201)).toBe(true)
  expect(JSON.parse(localStorage.getItem('spiderpig.watched') ?? '')).toHaveLength(200)
})
