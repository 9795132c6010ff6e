import { describe, expect, test } from 'vitest'

import { aJob } from './testing.ts'
import { concerns, isWatched, setWatched } from './watched.ts'

describe('a job concerns a person', () => {
  test('who started it', () => {
    expect(concerns(aJob({ user: 'alice' }), 'alice')).toBe(true)
    expect(concerns(aJob({ user: 'alice' }), 'bob')).toBe(false)
    expect(concerns(aJob({ user: 'alice' }), null)).toBe(false)
  })

  test('who chose to watch it, until they choose otherwise', () => {
    setWatched(7, true)
    expect(concerns(aJob({ id: 7 }), 'bob')).toBe(true)
    expect(concerns(aJob({ id: 8 }), 'bob')).toBe(false)
    setWatched(7, false)
    expect(concerns(aJob({ id: 7 }), 'bob')).toBe(false)
  })
})

test('the 200 jobs that were chosen last are watched', () => {
  for (let id = 1; id <= 200; id += 1) {
    setWatched(id, true)
  }
  setWatched(1, true)
  setWatched(201, true)
  expect(isWatched(1)).toBe(true)
  expect(isWatched(2)).toBe(false)
  expect(isWatched(201)).toBe(true)
  expect(JSON.parse(localStorage.getItem('spiderpig.watched') ?? '')).toHaveLength(200)
})
