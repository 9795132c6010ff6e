import { expect, test } from 'vitest'

import { formatRange, nextOf, parseRange, rangeOf } from './range.ts'

test.each([
  ['#L120', { from: 120, to: 120 }],
  ['#L120-L140', { from: 120, to: 140 }],
  ['#L120-140', { from: 120, to: 140 }],
  ['#L140-L120', { from: 120, to: 140 }],
  ['', null],
  ['#L0', null],
  ['#L', null],
  ['#L1x', null],
  ['#content', null],
  ['#L99999999999999999999', null],
])('%j', (hash, range) => {
  expect(parseRange(hash)).toEqual(range)
})

test('what is written is read', () => {
  for (const range of [rangeOf(5, 5), rangeOf(9, 5)]) {
    expect(parseRange(formatRange(range))).toEqual(range)
  }
})

test('the next goes around at the ends', () => {
  const numbers = [10, 20, 30]
  expect([0, 10, 15, 30].map((from) => nextOf(numbers, from, 1))).toEqual([10, 20, 20, 10])
  expect([40, 30, 15, 10].map((from) => nextOf(numbers, from, -1))).toEqual([30, 20, 10, 30])
  expect(nextOf([], 5, 1)).toBeNull()
})
