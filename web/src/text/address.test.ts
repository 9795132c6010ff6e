import { expect, test } from 'vitest'

import { addressWords } from './address.ts'

test.each([
  ['2001:db8::1', '2001:db8::1'],
  ['unix', 'a socket on the host'],
  ['host', 'the host itself'],
  ['constructor', 'constructor'],
])('%s is %s', (address, words) => {
  expect(addressWords(address)).toBe(words)
})
