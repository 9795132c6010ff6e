import { expect, test } from 'vitest'

import { summaryOf } from './summary.ts'
import { param } from './testing.ts'

const DECLARED = [
  param({ name: 'change', title: 'Changes', many: true }),
  param({ name: 'speed', title: 'Speed' }),
  param({ name: 'force', title: 'Force', kind: 'boolean' }),
]

test('the first parameter needs no title, and the order is that of the form', () => {
  expect(summaryOf({ force: true, speed: 10, change: ['42', '43'] }, DECLARED)).toBe('42, 43 · Speed: 10 · Force')
})

test('what is empty or off is left out', () => {
  expect(summaryOf({ change: [], speed: '', force: false }, DECLARED)).toBe('')
  expect(summaryOf({ speed: null }, DECLARED)).toBe('')
})

test('parameters that are not declared any more have their names', () => {
  expect(summaryOf({ change: '•••', old: { a: 1 } }, DECLARED)).toBe('••• · old: {"a":1}')
})

test('it is never long', () => {
  expect(summaryOf({ change: 'x'.repeat(100_000) }, DECLARED)).toHaveLength(201)
})
