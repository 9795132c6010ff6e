import type { SignInMode, WhoAmI } from '@/api/types.ts'

/** What somebody may do here: a name for it, and what it means. */
export interface Role {
  name: string
  words: string
}

/** The role that somebody's groups give them. */
export function roleOf({
  isAuthorized,
  mayStart,
  isAdmin,
}: Pick<WhoAmI, 'isAuthorized' | 'mayStart' | 'isAdmin'>): Role {
  if (isAdmin) {
    return {
      name: 'Admin',
      words: 'You may start jobs, answer their questions and stop them, pause the job runner, and look after users.',
    }
  }
  if (mayStart) {
    return { name: 'User', words: 'You may start jobs, answer their questions and stop them.' }
  }
  return isAuthorized
    ? { name: 'Viewer', words: 'You may look at jobs and their logs. You may not start, answer or stop any.' }
    : { name: 'None', words: 'You may not use SpiderPig. Whoever looks after it can give you a group that may.' }
}

/** What makes somebody who they are here. */
export function modeWords(mode: SignInMode | undefined): string {
  switch (mode) {
    case 'local':
      return 'by password'
    case 'cas':
      return 'by single sign-on'
    case 'none':
      return 'nobody signs in here'
    case undefined:
      return 'unknown'
  }
}
