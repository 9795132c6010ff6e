import fc from 'fast-check'
import { expect, test } from 'vitest'

import { nextOf, otherSite, ownPath } from './next.ts'

test.each([
  '/',
  '/jobs/12',
  '/start/backport?change_url=42&change_url=a%2Fb',
  '/jobs/1#line-3',
  '/start/a%20b',
  '/a//b',
])('a path of ours is kept as it is: %s', (path) => expect(ownPath(path)).toBe(path))

test.each([
  'javascript:alert(1)',
  'JavaScript:alert(1)',
  '//host.test',
  '///host.test',
  '/\\host.test',
  '\\\\host.test',
  '/\t/host.test',
  '/\n/host.test',
  ' //host.test',
  'https://host.test/',
  'http:host.test',
  'host.test',
  'jobs/12',
  '?next=/',
  '',
  '/%2Fhost.test',
  '/%2f%2fhost.test',
  '/%252Fhost.test',
  '/%5Chost.test',
  '/%255chost.test',
  '/%09/host.test',
  '/%0d%0aSet-Cookie:a=b',
  '/.//host.test',
  '/..//host.test',
  '/%2e//host.test',
  '/a/..//host.test',
  '/%',
  '/\u0000',
  '/jobs/\u2028',
  '/logout',
  '/login?next=/logout',
  '/x/../logout',
  `/${'a'.repeat(2000)}`,
])('anything else is the first page: %j', (address) => expect(ownPath(address)).toBe('/'))

test.each([undefined, null, 7, ['/a', '/b'], {}])('what is no text is the first page: %j', (given) =>
  expect(ownPath(given)).toBe('/'),
)

test('the name that the first SpiderPig had for it is known', () => {
  expect(nextOf({ redirect: '/jobs/3' })).toBe('/jobs/3')
  expect(nextOf({ next: '/jobs/4', redirect: '/jobs/3' })).toBe('/jobs/4')
  expect(nextOf({})).toBe('/')
})

/** What addresses that lead elsewhere are made of, in any order. */
const tricks = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        '/',
        '\\',
        '.',
        '..',
        ':',
        '@',
        '?',
        '#',
        '%',
        'javascript:',
        'https:',
        'host.test',
        '\t',
        '\n',
        ' ',
      ),
      fc.constantFrom('%2f', '%5C', '%2e', '%09', '%00', '%25', '%252f', '%E2%80%A8', '＼', '／', '。'),
      fc.string({ unit: 'binary', maxLength: 3 }),
    ),
    { maxLength: 8 },
  )
  .map((parts) => parts.join(''))

test('whatever is asked for, a browser stays at this origin', () => {
  fc.assert(
    fc.property(tricks, (trick) => {
      const path = ownPath(trick)
      for (const read of [path, safely(path), safely(safely(path))]) {
        const { origin, pathname } = new URL(read, 'https://spiderpig.test')
        expect(origin).toBe('https://spiderpig.test')
        expect(pathname.startsWith('//')).toBe(false)
      }
    }),
    { numRuns: 5000 },
  )
})

test('whatever is asked for, it begins with one slash and has no control characters', () => {
  fc.assert(
    fc.property(tricks, (trick) => {
      expect(ownPath(`/${trick}`)).toMatch(/^\/(?![/\\])[^\p{Cc}]*$/u)
    }),
    { numRuns: 5000 },
  )
})

test('paths of words with any query are kept', () => {
  const word = fc.stringMatching(/^[a-z0-9-]{1,8}$/u)
  const query = fc.dictionary(word, fc.string({ unit: 'grapheme', maxLength: 8 }), { maxKeys: 3 })
  fc.assert(
    fc.property(fc.array(word, { minLength: 1, maxLength: 3 }), query, (words, values) => {
      const path = `/jobs/${words.join('/')}?${new URLSearchParams(values).toString()}`
      expect(ownPath(path)).toBe(path)
    }),
  )
})

test.each([
  ['https://sso.test/logout?service=a', 'https://sso.test/logout?service=a'],
  ['http://localhost:9/', 'http://localhost:9/'],
  ['/', null],
  ['//host.test', null],
  ['javascript:alert(1)', null],
  ['data:text/html,a', null],
  ['', null],
])('where one signs out of the single sign-on is a site of the web: %s', (address, site) =>
  expect(otherSite(address)).toBe(site),
)

/** What somebody makes of it who decodes it once more, were it its path only. */
function safely(path: string): string {
  try {
    return decodeURIComponent(path.split(/[?#]/u, 1)[0] ?? '')
  } catch {
    return '/'
  }
}
