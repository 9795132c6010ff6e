import type { SignInMode } from '@/api/types.ts'
import type { Access } from '@/state/session.ts'

/** So long, in milliseconds, a tab does not go to the single sign-on again by itself: or it might for ever. */
const ONCE_IN = 5 * 60_000

const KEY = 'spiderpig.renewed'

/** Where somebody who is at `path` has to go to get back to it. It is loaded anew, whatever this page is. */
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

/** Whether this tab may go to the single sign-on by itself. Once it has asked it may not for a while. */
export function maySignInSilently(now: number = Date.now()): boolean {
  try {
    const last = Number(sessionStorage.getItem(KEY))
    sessionStorage.setItem(KEY, String(now))
    return !(now - last < ONCE_IN)
  } catch {
    // Without a storage nobody would know the next time.
    return false
  }
}
