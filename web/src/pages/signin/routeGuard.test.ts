import { beforeEach, describe, expect, test, vi } from 'vitest'
import { createMemoryHistory, createRouter, type Router } from 'vue-router'

import { api } from '@/api/client.ts'
import type { WhoAmI } from '@/api/types.ts'
import { Session } from '@/state/session.ts'
import { declared, aPerson } from '@/api/testing.ts'

import { guardRoutes } from './routeGuard.ts'

const NOBODY: WhoAmI = { user: null, mode: 'local', loginUrl: '/api/login' }

let session: Session
let router: Router

const becomes = (who: WhoAmI) => vi.mocked(api.whoami).mockResolvedValue(who)

async function go(to: string): Promise<string> {
  await router.push(to)
  return router.currentRoute.value.fullPath
}

beforeEach(() => {
  vi.spyOn(api, 'whoami').mockResolvedValue(aPerson())
  vi.spyOn(api, 'jobTypes').mockResolvedValue(declared([]))
  session = new Session()
  const component = { template: '<p />' }
  const pages = ['login', 'logout', 'second-factor', 'enrol', 'account']
  router = createRouter({
    history: createMemoryHistory(),
    routes: [
      { path: '/', name: 'overview', component },
      { path: '/jobs/:id', name: 'job', component },
      { path: '/notauthorized', name: 'not-authorized', component },
      ...pages.map((name) => ({ path: `/${name}`, name, component })),
    ],
  })
  guardRoutes(router, session)
})

describe('at first', () => {
  test('nothing is shown before it is known who this is', async () => {
    const going = router.push('/jobs/7')
    await Promise.resolve()
    expect(router.currentRoute.value.matched).toEqual([])
    await session.refresh()
    await going
    expect(router.currentRoute.value.fullPath).toBe('/jobs/7')
  })

  const stranger = aPerson({ isAuthorized: false, mayStart: false })
  const viewer = aPerson({ mayStart: false })
  test.each<[string, WhoAmI, string, string]>([
    ['signed out', NOBODY, '/', '/login'],
    ['signed out', NOBODY, '/jobs/7?q=a', '/login?next=/jobs/7?q=a'],
    ['signed out', NOBODY, '/login?problem=ticket', '/login?problem=ticket'],
    ['signed out', NOBODY, '/second-factor?next=/jobs/7', '/login?next=/jobs/7'],
    ['signed out', NOBODY, '/logout', '/logout'],
    ['half signed in', aPerson({ secondFactor: 'code' }), '/account', '/second-factor?next=/account'],
    ['half signed in', aPerson({ secondFactor: 'code' }), '/login?next=//host.test', '/second-factor'],
    ['half signed in', aPerson({ secondFactor: 'code' }), '/enrol', '/second-factor'],
    ['without a second factor', aPerson({ secondFactor: 'enrol' }), '/jobs/7', '/enrol?next=/jobs/7'],
    ['a stranger', stranger, '/', '/notauthorized'],
    ['a viewer', viewer, '/jobs/7', '/jobs/7'],
    ['signed in', aPerson(), '/login?next=/jobs/7', '/jobs/7'],
    ['signed in', aPerson(), '/login?redirect=/account', '/account'],
    ['signed in', aPerson(), '/login?next=https://host.test', '/'],
    ['signed in', aPerson(), '/login?problem=other_user', '/login?problem=other_user'],
    ['signed in', aPerson(), '/notauthorized', '/'],
    ['signed in', aPerson(), '/enrol?next=/account', '/enrol?next=/account'],
  ])('who is %s is led to where they may be: %#', async (_, who, wanted, got) => {
    becomes(who)
    await session.refresh()
    expect(await go(wanted)).toBe(got)
  })
})

describe('after a session has ended', () => {
  beforeEach(async () => {
    await session.refresh()
    await router.push('/jobs/7')
    becomes(NOBODY)
    await session.refresh()
  })

  test('what is shown stays, also with another query', async () => {
    expect(session.accessLost.value).toBe('Your session has ended')
    expect(router.currentRoute.value.fullPath).toBe('/jobs/7')
    expect(await go('/jobs/7?log=end')).toBe('/jobs/7?log=end')
    expect(session.hadAccess.value).toBe(true)
  })

  test('who goes elsewhere signs in first', async () => {
    expect(await go('/account')).toBe('/login?next=/account')
    expect([session.accessLost.value, session.hadAccess.value]).toEqual([null, false])
  })

  test('who has signed in elsewhere meanwhile goes on', async () => {
    becomes(aPerson())
    expect(await go('/account')).toBe('/account')
    expect(session.accessLost.value).toBeNull()
  })
})
