/** Why a sign-in with the single sign-on failed, and what to do, by the code in the address. */
const PROBLEMS: Readonly<Record<string, string>> = {
  ticket:
    'The single sign-on did not confirm your sign-in: its ticket was already used, or has expired. Sign in again.',
  unreachable:
    'SpiderPig could not reach the single sign-on to confirm your sign-in. ' +
    'Try again in a minute. If that does not help, tell an operator of SpiderPig.',
  nonsense:
    'SpiderPig did not understand the answer of the single sign-on. ' +
    'Trying again will not help: tell an operator of SpiderPig.',
  unsolicited: 'This browser did not start this sign-in, or started it too long ago. Sign in from this page.',
  rate_limited: 'The single sign-on refused too many tickets from your address. Try again in 15 minutes.',
  other_user:
    'The single sign-on confirmed another user than the one who is signed in here. ' +
    'To change users, sign out here first.',
}

/** The text for a problem. An address can contain any text, so none of it is shown. */
export function problemOf(code: unknown): string | null {
  if (code === undefined) {
    return null
  }
  const known = typeof code === 'string' && Object.hasOwn(PROBLEMS, code) ? PROBLEMS[code] : undefined
  return known ?? 'Sign-in failed. Try again.'
}
