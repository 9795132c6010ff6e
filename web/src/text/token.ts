/** So long before its end, in seconds, it is said that a token ends soon: scripts run at night, and people take leave. */
const SOON = 7 * 86_400

const START = 'start:'
const ANSWER = 'answer:'

/** What a token is good for, in words. `titleOf` names job types. */
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

/** How near the end of a token is. Times are seconds since the epoch. */
export function expiryOf(expires: number, now: number): 'over' | 'soon' | 'later' {
  const left = expires - now
  return left <= 0 ? 'over' : left < SOON ? 'soon' : 'later'
}
