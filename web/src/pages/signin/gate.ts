import type { RouteLocationNormalized, RouteLocationRaw, Router } from 'vue-router'

import type { Session, Standing } from '@/state/session.ts'

import { nextOf } from './next.ts'

/** Where those are led to who are not let in, by how far they are. */
const DOORS: Record<Exclude<Standing, 'in' | 'unknown'>, string> = {
  nobody: 'login',
  code: 'second-factor',
  enrol: 'enrol',
  stranger: 'not-authorized',
}

type Asked = Pick<RouteLocationNormalized, 'name' | 'query' | 'fullPath'>

/** Where to go instead of where somebody wants to go, with the way back in its query. Null: they may go there. */
export function detourOf({ name, query, fullPath }: Asked, standing: Standing): RouteLocationRaw | null {
  const isDoor = Object.values(DOORS).includes(String(name))
  const next = isDoor ? nextOf(query) : fullPath
  // What the single sign-on had to say is read also by who is signed in.
  const isTold = name === 'login' && query.problem !== undefined
  if (name === 'logout' || isTold || standing === 'unknown') {
    return null
  }
  if (standing === 'in') {
    // A second factor can also be set up by who is in.
    return isDoor && name !== 'enrol' ? next : null
  }
  const door = DOORS[standing]
  return name === door ? null : { name: door, query: next === '/' ? {} : { next } }
}

/** Leads everybody to where they may be. What is shown is never taken away: it is looked when somebody goes elsewhere. */
export function keepGate(router: Router, session: Session): void {
  router.beforeEach(async (to, from) => {
    await session.known
    if (from.matched.length > 0 && to.path === from.path) {
      return true
    }
    if (session.lapse.value !== null) {
      await session.refresh()
      session.leave()
    }
    return detourOf(to, session.standing.value) ?? true
  })
}
