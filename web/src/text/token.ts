/** A token is marked this many seconds before it expires, early enough for people on leave. */
const SOON = 7 * 86_400

const START = 'start:'
const ANSWER = 'answer:'

/** A scope of a token in words. `titleOf` names job types. */
export function scopeWords(scope: string, titleOf: (type: string) => string): string {
  if (scope.startsWith(START)) {
    return `start jobs: ${titleOf(scope.slice(START.length))}`
  }
  if (scope.startsWith(ANSWER)) {
    return `answer and stop jobs: ${titleOf(scope.slice(ANSWER.length))}`
  }
  switch (scope) {
    case 'read':
      return 'view jobs and logs'
    case 'answer':
      return 'answer and stop jobs'
    default:
      return scope
  }
}

/** Whether a token has expired or expires soon. Times are seconds since the epoch. */
export function expiryOf(expires: number, now: number): 'over' | 'soon' | 'later' {
  const left = expires - now
  return left <= 0 ? 'over' : left < SOON ? 'soon' : 'later'
}
