import { expect, test } from 'vitest'

import { roleOf } from './role.ts'

test.each([
  ['Admin', { isAuthorized: true, mayStart: true, isAdmin: true }],
  ['User', { isAuthorized: true, mayStart: true, isAdmin: false }],
  ['Viewer', { isAuthorized: true, mayStart: false, isAdmin: false }],
  ['None', { isAuthorized: false, mayStart: false, isAdmin: false }],
  ['None', {}],
])('%s', (name, who) => {
  expect(roleOf(who).name).toBe(name)
})
