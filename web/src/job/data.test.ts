import { expect, test } from 'vitest'

import { entriesOf } from './data.ts'

test('values are text that people read', () => {
  expect(entriesOf({ a: 'x', b: 3, c: true, d: false, e: null, f: '', g: ['1', 2], h: [] })).toEqual(
    [
      ['a', 'x'],
      ['b', '3'],
      ['c', 'yes'],
      ['d', 'no'],
      ['e', '(empty)'],
      ['f', '(empty)'],
      ['g', '1\n2'],
      ['h', '(none)'],
    ].map(([name, text]) => ({ name, text, isNested: false })),
  )
})

test('what is nested keeps its shape', () => {
  expect(entriesOf({ a: { b: [1] }, c: [{ d: null }] })).toEqual([
    { name: 'a', text: '{\n  "b": [\n    1\n  ]\n}', isNested: true },
    { name: 'c', text: '[\n  {\n    "d": null\n  }\n]', isNested: true },
  ])
})
