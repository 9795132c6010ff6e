import { afterEach, expect, test, vi } from 'vitest'

import { mayRenewNow, signInAddress } from './renewal.ts'

afterEach(() => {
  vi.unstubAllGlobals()
  sessionStorage.clear()
})

test.each([
  ['/', 'nobody', 'local', '/login'],
  ['/jobs/1?q=a&b#c', 'nobody', 'local', '/login?next=%2Fjobs%2F1%3Fq%3Da%26b%23c'],
  ['/jobs/1', 'nobody', 'cas', '/api/login?next=%2Fjobs%2F1'],
  ['/jobs/1', 'in', 'local', '/login?next=%2Fjobs%2F1'],
  ['/jobs/1', 'code', 'cas', '/second-factor?next=%2Fjobs%2F1'],
  ['/', 'enrol', 'local', '/enrol'],
  ['/jobs/1', 'stranger', 'cas', '/notauthorized'],
] as const)('who is at %s as %s with %s gets back by %s', (path, standing, mode, address) =>
  expect(signInAddress(path, standing, mode)).toBe(address),
)

test('a tab goes to the single sign-on by itself once in five minutes', () => {
  expect(mayRenewNow(1_000_000_000)).toBe(true)
  expect(mayRenewNow(1_000_000_001)).toBe(false)
  expect(mayRenewNow(1_000_300_001)).toBe(true)
})

test('a tab that cannot remember never does', () => {
  vi.stubGlobal('sessionStorage', undefined)
  expect(mayRenewNow()).toBe(false)
})
