import type { RouteLocationNormalized, RouteLocationRaw, Router } from 'vue-router'

import type { Session, Access } from '@/state/session.ts'

import { nextOf } from './next.ts'

/** Where those are led to who are not let in, by how far they are. */
const ENTRY_PAGES: Record<Exclude<Access, 'granted' | 'unknown'>, string> = {
  'signed out': 'login',
  code: 'second-factor',
  enrol: 'enrol',
  unauthorized: 'not-authorized',
}

type Asked = Pick<RouteLocationNormalized, 'name' | 'query' | 'fullPath'>

/** Where to go instead of where somebody wants to go, with the way back in its query. Null: they may go there. */
export function redirectFor({ name, query, fullPath }: Asked, access: Access): RouteLocationRaw | null {
  const isEntryPage = Object.values(ENTRY_PAGES).includes(String(name))
  const next = isEntryPage ? nextOf(query) : fullPath
  // What the single sign-on had to say is read also by who is signed in.
  const hasProblem = name === 'login' && query.problem !== undefined
  if (name === 'logout' || hasProblem || access === 'unknown') {
    return null
  }
  if (access === 'granted') {
    // A second factor can also be set up by who is in.
    return isEntryPage && name !== 'enrol' ? next : null
  }
  const entryPage = ENTRY_PAGES[access]
  return name === entryPage ? null : { name: entryPage, query: next === '/' ? {} : { next } }
}

/** Leads everybody to where they may be. What is shown is never taken away: it is looked when somebody goes elsewhere. */
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
