import { expect, test } from 'vitest'

import { changesInShort, changesOf, otherData, startedAnywayOf } from './info.ts'
import { aChangeInfo } from './testing.ts'

test('on one line there is the first change, and how many more', () => {
  const [first, second] = [aChangeInfo({ number: 42, subject: 'Fix the thing' }), aChangeInfo({ number: 43 })]
  expect(changesInShort({ change_infos: [first] })).toBe('42 Fix the thing')
  expect(changesInShort({ change_infos: [first, second] })).toBe('42 Fix the thing, and 1 more')
  expect(changesInShort({ change_infos: [first] }, 3)).toBe('42 Fix the thing, and 2 more')
  expect(changesInShort({ change_infos: [] })).toBeNull()
  expect(changesInShort({})).toBeNull()
})

test('what is no change is no change', () => {
  expect(changesOf({ change_infos: [null, 3, {}, { number: '1', subject: 'x' }] })).toEqual([])
  expect(changesOf({ change_infos: 'x' })).toEqual([])
})

test('who started it anyway is known if it is whole', () => {
  expect(startedAnywayOf({ started_anyway: { by: 'ada', problems: ['x'] } })).toEqual({ by: 'ada', problems: ['x'] })
  expect(startedAnywayOf({ started_anyway: true })).toBeNull()
  expect(startedAnywayOf({})).toBeNull()
})

test('what has no place of its own stays among the data', () => {
  const whole = { change_infos: [aChangeInfo()], started_anyway: { by: 'ada', problems: [] }, note: 'x' }
  expect(otherData(whole)).toEqual({ note: 'x' })
  const odd = { change_infos: ['x'], started_anyway: 'yes' }
  expect(otherData(odd)).toEqual(odd)
})
