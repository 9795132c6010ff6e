import fc from 'fast-check'
import { expect, test } from 'vitest'

import { changeNumber } from './number.ts'

const GERRIT = 'https://gerrit.example.org/r/'

test.each([
  '42',
  'https://gerrit.example.org/r/42',
  'https://gerrit.example.org/r/42/',
  'https://gerrit.example.org/r/42/3',
  'https://gerrit.example.org/r/c/42',
  'https://gerrit.example.org/r/c/42/3/src/a+b.php',
  'https://gerrit.example.org/r/c/mediawiki/core/+/42',
  'https://gerrit.example.org/r/c/mediawiki/core/+/42/',
  'https://gerrit.example.org/r/c/mediawiki/core/+/42/3..5/includes/+/7.php',
  'https://gerrit.example.org/r/c/mediawiki%2Fcore/%2B/42',
  'https://gerrit.example.org/r/c/2026/+/42',
  'https://gerrit.example.org/r/#/c/42/3/file',
  'https://gerrit.example.org/r/#/c/mediawiki/core/+/42/',
  'https://gerrit.example.org/r#/c/42',
  'https://gerrit.example.org/#/c/42',
  'https://gerrit.example.org/42',
  'https://gerrit.example.org/c/mediawiki/core/+/42/3',
  'https://gerrit.example.org/r/c/42?tab=checks#message-1',
  'https://gerrit.example.org/r/42#43',
  'http://gerrit.example.org/r/42',
  'HTTPS://Gerrit.Example.ORG/r/42',
  'https://gerrit.example.org:443/r/42',
  'http://gerrit.example.org:80/r/42',
])('a change is named by %s', (text) => {
  expect(changeNumber(GERRIT, text)).toBe(42)
})

test.each([
  '',
  '0',
  '042',
  '-42',
  ' 42',
  '1234567890',
  '４２',
  'I0123456789012345678901234567890123456789',
  'gerrit.example.org/r/42',
  'ftp://gerrit.example.org/r/42',
  'https://gerrit.example.com/r/42',
  'https://gerrit.example.org.evil.example/r/42',
  'https://evil.example/https://gerrit.example.org/r/42',
  'https://alice@gerrit.example.org/r/42',
  'https://gerrit.example.org@evil.example/r/42',
  'https://gerrit.example.org:8443/r/42',
  'https://gerrit.example.org:80/r/42',
  'https://gerrit.example.org',
  'https://gerrit.example.org/r/',
  'https://gerrit.example.org/r/c/',
  'https://gerrit.example.org/r/c/mediawiki/core',
  'https://gerrit.example.org/r/c/mediawiki/core/+/',
  'https://gerrit.example.org/r/c/42/+/',
  'https://gerrit.example.org/r/c/mediawiki/core/+/x42',
  'https://gerrit.example.org/r/q/42',
  'https://gerrit.example.org/r/#/q/42',
  'https://gerrit.example.org/r/?q=42',
  'https://gerrit.example.org/rx/42',
  'https://gerrit.example.org/r/42 43',
  'https://gerrit.example.org/r/42\n',
  'https://',
  '://',
])('no change is named by %j', (text) => {
  expect(changeNumber(GERRIT, text)).toBeNull()
})

test('a Gerrit may be at a port and at the root', () => {
  for (const text of ['http://[::1]:8001/42', 'http://[::1]:8001/c/a/+/42', 'https://[::1]:8001/#/c/42']) {
    expect(changeNumber('http://[::1]:8001/', text), text).toBe(42)
  }
  for (const text of ['http://[::1]/42', 'http://[::1]:80/42', 'http://[::1:8001/42']) {
    expect(changeNumber('http://[::1]:8001/', text), text).toBeNull()
  }
})

test('without a Gerrit only a number names a change', () => {
  expect(changeNumber(null, '42')).toBe(42)
  expect(changeNumber(null, 'https://gerrit.example.org/r/42')).toBeNull()
})

test('a number is found behind any project', () => {
  const project = fc.stringMatching(/^[a-z0-9]{1,8}(\/[a-z0-9.-]{1,8}){0,3}$/)
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 999_999_999 }), project, (number, project) => {
      expect(changeNumber(GERRIT, `${GERRIT}c/${project}/+/${number}/2`)).toBe(number)
    }),
  )
})
