import type { Connection } from '@/api/events.ts'
import { describeRetry } from '@/api/retry.ts'
import { formatDuration, formatTime } from '@/text/time.ts'

/** What a lost connection means for the page, why it was lost, and when it is retried. */
export interface Outage {
  headline: string
  /** Changes every second. */
  age: string | null
  reason: string | null
  /** Changes every second, too. */
  retry: string | null
}

/** Times are milliseconds since the epoch; `heardAt` is the time of the last sign of life. */
export function describeOutage(connection: Connection, heardAt: number | null, now: number): Outage {
  const isBroken = connection.state === 'broken' || connection.state === 'refused'
  return {
    headline: isBroken ? 'Not connected' : heardAt === null ? 'Connecting' : 'Reconnecting',
    age: heardAt === null ? (isBroken ? 'no data yet' : null) : describeAge(heardAt, now),
    reason: isBroken ? connection.reason : null,
    retry: connection.state === 'broken' ? describeRetry(connection.retryAt, now) : null,
  }
}

function describeAge(heardAt: number, now: number): string {
  const age = formatDuration(Math.round(Math.max(0, now - heardAt) / 1000))
  return `the data is ${age} old (as of ${formatTime(heardAt / 1000, now)} UTC)`
}
