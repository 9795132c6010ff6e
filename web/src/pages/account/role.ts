import type { SignInMode, WhoAmI } from '@/api/types.ts'

/** A role: its name, and what it allows. */
export interface Role {
  name: string
  words: string
}

/** The role that the user's groups give them. */
export function roleOf({
  isAuthorized,
  mayStart,
  isAdmin,
}: Pick<WhoAmI, 'isAuthorized' | 'mayStart' | 'isAdmin'>): Role {
  if (isAdmin) {
    return {
      name: 'Admin',
      words: 'You can start, answer and stop jobs, pause the job runner, and manage users.',
    }
  }
  if (mayStart) {
    return { name: 'User', words: 'You can start, answer and stop jobs.' }
  }
  return isAuthorized
    ? { name: 'Viewer', words: 'You can view jobs and their logs, but not start, answer or stop jobs.' }
    : { name: 'None', words: 'You do not have access to SpiderPig. An operator can add you to a group that has.' }
}

/** How the user signed in. */
export function modeWords(mode: SignInMode | undefined): string {
  switch (mode) {
    case 'local':
      return 'with a password'
    case 'cas':
      return 'with single sign-on'
    case 'none':
      return 'without sign-in'
    case undefined:
      return 'unknown'
  }
}
