import type { SignInMode } from '@/api/types.ts'
import type { Access } from '@/state/session.ts'

/** The least time between two silent sign-ins of a tab, in milliseconds. It prevents endless redirects. */
const ONCE_IN = 5 * 60_000

const KEY = 'spiderpig.renewed'

/** The address that leads back to `path` after sign-in. It is loaded as a new page. */
export function signInAddress(path: string, access: Access, mode: SignInMode | undefined): string {
  const next = path === '/' ? '' : `?next=${encodeURIComponent(path)}`
  if (access === 'unauthorized') {
    return '/notauthorized'
  }
  if (access === 'code' || access === 'enrol') {
    return `/${access === 'code' ? 'second-factor' : 'enrol'}${next}`
  }
  return `${mode === 'cas' ? '/api/login' : '/login'}${next}`
}

/** Whether this tab may sign in silently now. After a yes, the answer is no for a while. */
export function maySignInSilently(now: number = Date.now()): boolean {
  try {
    const last = Number(sessionStorage.getItem(KEY))
    sessionStorage.setItem(KEY, String(now))
    return !(now - last < ONCE_IN)
  } catch {
    // Without storage there would be no limit.
    return false
  }
}
