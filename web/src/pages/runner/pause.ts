/** The longest reason, in bytes as the API counts them: it stands on every page. */
const LONGEST = 500

/** What is wrong with a reason for a pause. Null if nothing is. */
export function reasonProblem(reason: string): string | null {
  if (reason.trim() === '') {
    return 'A pause needs a reason, which everybody will see.'
  }
  if (/\p{Cc}/u.test(reason)) {
    return 'A reason is one line, without control characters.'
  }
  const excess = new TextEncoder().encode(reason).length - LONGEST
  return excess > 0 ? `A reason has at most ${LONGEST} bytes: this one has ${excess} too many.` : null
}
