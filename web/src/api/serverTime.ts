/** How far the clock of the API is ahead of the browser's, in milliseconds. */
let offset = 0

/** The `Date` header has whole seconds (RFC 9110, section 5.6.7). */
const RESOLUTION = 1000

/**
 * The time of the API, in milliseconds since the epoch.
 *
 * The API's clock times the jobs. The clock of a laptop may be hours off, and would show "Running for 3 h" for a job
 * that has just started.
 */
export function serverTime(): number {
  return Date.now() + offset
}

/**
 * Adjusts the offset by the `Date` of a response, only as far as it is certain: the response was created between
 * `sentAt` and `receivedAt` of the browser's clock.
 */
export function learnServerTime(date: string | null, sentAt: number, receivedAt: number): void {
  const time = Date.parse(date ?? '')
  // If the clock was set meanwhile, the times are useless.
  if (Number.isNaN(time) || receivedAt < sentAt) {
    return
  }
  offset = Math.min(Math.max(offset, time - receivedAt), time + RESOLUTION - sentAt)
}
