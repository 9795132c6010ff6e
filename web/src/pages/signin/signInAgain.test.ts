import { afterEach, expect, test, vi } from 'vitest'

import { maySignInSilently, signInAddress } from './signInAgain.ts'

afterEach(() => {
  vi.unstubAllGlobals()
  sessionStorage.clear()
})

test.each([
  ['/', 'signed out', 'local', '/login'],
  ['/jobs/1?q=a&b#c', 'signed out', 'local', '/login?next=%2Fjobs%2F1%3Fq%3Da%26b%23c'],
  ['/jobs/1', 'signed out', 'cas', '/api/login?next=%2Fjobs%2F1'],
  ['/jobs/1', 'granted', 'local', '/login?next=%2Fjobs%2F1'],
  ['/jobs/1', 'code', 'cas', '/second-factor?next=%2Fjobs%2F1'],
  ['/', 'enrol', 'local', '/enrol'],
  ['/jobs/1', 'unauthorized', 'cas', '/notauthorized'],
] as const)('who is at %s as %s with %s gets back by %s', (path, access, mode, address) =>
  expect(signInAddress(path, access, mode)).toBe(address),
)

test('a tab goes to the single sign-on by itself once in five minutes', () => {
  expect(maySignInSilently(1_000_000_000)).toBe(true)
  expect(maySignInSilently(1_000_000_001)).toBe(false)
  expect(maySignInSilently(1_000_300_001)).toBe(true)
})

test('a tab that cannot remember never does', () => {
  vi.stubGlobal('sessionStorage', undefined)
  expect(maySignInSilently()).toBe(false)
})
