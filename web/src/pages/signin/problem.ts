/** Why the single sign-on did not let somebody in, and what to do, by the code in the address. */
const PROBLEMS: Readonly<Record<string, string>> = {
  ticket:
    'The single sign-on did not confirm that it was you: its ticket was used already, or it took too long. ' +
    'Sign in again.',
  unreachable:
    'The single sign-on let you go on, but SpiderPig could not reach it to make sure that it was you. ' +
    'Try again in a minute. Should that not help, tell whoever looks after SpiderPig.',
  nonsense:
    'SpiderPig did not understand what the single sign-on says about you. ' +
    'Trying again will not help: tell whoever looks after SpiderPig.',
  unsolicited:
    'This browser did not ask the single sign-on to sign you in here, or that was too long ago. ' +
    'Sign in from this page.',
  rate_limited:
    'Too many tickets from where you are were refused by the single sign-on. Try again in a quarter of an hour.',
  other_user:
    'The single sign-on knows you as somebody else than the one who is signed in here. ' +
    'If that is whom you want to be, sign out here first.',
}

/** What to say of a problem. Any text may stand in an address, so none of it is shown. */
export function problemOf(code: unknown): string | null {
  if (code === undefined) {
    return null
  }
  const known = typeof code === 'string' && Object.hasOwn(PROBLEMS, code) ? PROBLEMS[code] : undefined
  return known ?? 'Signing in did not work. Try again.'
}
