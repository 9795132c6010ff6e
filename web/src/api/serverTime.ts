/** What the clock of the API has more than that of this browser, in milliseconds. */
let offset = 0

/** `Date` in the head of a response has whole seconds (RFC 9110, section 5.6.7). */
const RESOLUTION = 1000

/**
 * What time it is at the API, in milliseconds since the epoch.
 *
 * Jobs are timed by its clock. That of a laptop may be hours off, and would show "Running for 3 h" of a job that has just
 * started.
 */
export function serverTime(): number {
  return Date.now() + offset
}

/**
 * Sets the clock by the `Date` of a response, by no more than is certain: the response was made between `sentAt` and
 * `receivedAt`, which are of the clock of this browser.
 */
export function learnServerTime(date: string | null, sentAt: number, receivedAt: number): void {
  const time = Date.parse(date ?? '')
  // A clock that was set in between tells nothing.
  if (Number.isNaN(time) || receivedAt < sentAt) {
    return
  }
  offset = Math.min(Math.max(offset, time - receivedAt), time + RESOLUTION - sentAt)
}
