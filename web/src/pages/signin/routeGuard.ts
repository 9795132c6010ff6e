import type { RouteLocationNormalized, RouteLocationRaw, Router } from 'vue-router'

import type { Session, Access } from '@/state/session.ts'

import { nextOf } from './next.ts'

/** The entry page for each kind of missing access. */
const ENTRY_PAGES: Record<Exclude<Access, 'granted' | 'unknown'>, string> = {
  'signed out': 'login',
  code: 'second-factor',
  enrol: 'enrol',
  unauthorized: 'not-authorized',
}

type Asked = Pick<RouteLocationNormalized, 'name' | 'query' | 'fullPath'>

/** Where to redirect a navigation, with the way back in the query. Null: it is allowed. */
export function redirectFor({ name, query, fullPath }: Asked, access: Access): RouteLocationRaw | null {
  const isEntryPage = Object.values(ENTRY_PAGES).includes(String(name))
  const next = isEntryPage ? nextOf(query) : fullPath
  // A problem of the single sign-on is also shown to signed-in users.
  const hasProblem = name === 'login' && query.problem !== undefined
  if (name === 'logout' || hasProblem || access === 'unknown') {
    return null
  }
  if (access === 'granted') {
    // Users with access can also set up a second factor.
    return isEntryPage && name !== 'enrol' ? next : null
  }
  const entryPage = ENTRY_PAGES[access]
  return name === entryPage ? null : { name: entryPage, query: next === '/' ? {} : { next } }
}

/**
 * Redirects navigations that are not allowed. The current page is never taken away: access is checked when the user
 * navigates.
 */
export function guardRoutes(router: Router, session: Session): void {
  router.beforeEach(async (to, from) => {
    await session.known
    if (from.matched.length > 0 && to.path === from.path) {
      return true
    }
    if (session.accessLost.value !== null) {
      await session.refresh()
      session.leave()
    }
    return redirectFor(to, session.access.value) ?? true
  })
}
