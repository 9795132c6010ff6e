/** The longest reason, in bytes as the API counts them. Every page shows it. */
const LONGEST = 500

/** The problem of a reason for a pause. Null if it is valid. */
export function reasonProblem(reason: string): string | null {
  if (reason.trim() === '') {
    return 'Enter a reason for the pause. Everyone can see it.'
  }
  if (/\p{Cc}/u.test(reason)) {
    return 'The reason must be one line, without control characters.'
  }
  const excess = new TextEncoder().encode(reason).length - LONGEST
  return excess > 0 ? `The reason must be at most ${LONGEST} bytes long: it is ${excess} too long.` : null
}
