import { expect, test } from 'vitest'

import { expiryOf, scopeWords } from './token.ts'

test.each([
  ['read', 'view jobs and logs'],
  ['answer', 'answer and stop jobs'],
  ['start:backport', 'start jobs: MediaWiki Backport'],
  ['answer:backport', 'answer and stop jobs: MediaWiki Backport'],
  ['start:gone', 'start jobs: gone'],
  ['something new', 'something new'],
])('%s is to %s', (scope, words) => {
  expect(scopeWords(scope, (type) => (type === 'backport' ? 'MediaWiki Backport' : type))).toBe(words)
})

test('the end of a token is near for its last week', () => {
  const day = 86_400
  expect(expiryOf(100 * day, 93 * day)).toBe('later')
  expect(expiryOf(100 * day, 93 * day + 1)).toBe('soon')
  expect(expiryOf(100 * day, 100 * day - 1)).toBe('soon')
  expect(expiryOf(100 * day, 100 * day)).toBe('over')
})
