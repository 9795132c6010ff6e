/** The timestamp before each line: none, the time in UTC, since the start, or since the previous line. */
export const TIMESTAMP_MODES = ['off', 'utc', 'start', 'gap'] as const
export type TimestampMode = (typeof TIMESTAMP_MODES)[number]

export const TIMESTAMP_LABELS: Readonly<Record<TimestampMode, string>> = {
  off: 'No timestamps',
  utc: 'Time in UTC',
  start: 'Time since start',
  gap: 'Time since previous line',
}

/** The reference points of relative timestamps. */
export interface Since {
  /** The start of the job, in seconds since the epoch. */
  start: number | null
  /** The time of the line before. */
  before: string | null
}

/** The timestamp of a time (RFC 3339, in UTC with milliseconds). Empty if it is unknown. */
export function timestampOf(timestamps: TimestampMode, time: string | null, { start, before }: Since): string {
  const at = time === null ? NaN : Date.parse(time)
  if (Number.isNaN(at)) {
    return ''
  }
  switch (timestamps) {
    case 'off':
      return ''
    case 'utc': {
      const [date = '', clock = ''] = new Date(at).toISOString().replace('Z', '').split('T')
      const isToday = start === null || date === new Date(start * 1000).toISOString().slice(0, 10)
      return isToday ? clock : `${date} ${clock}`
    }
    case 'start':
      return start === null ? '' : elapsed(at - start * 1000)
    case 'gap':
      return before === null ? '' : elapsed(at - Date.parse(before))
  }
}

/** `+0.123`, `+1:02.003`, `+12:00:01.500`. It is negative if the clock was set back. */
function elapsed(milliseconds: number): string {
  if (Number.isNaN(milliseconds)) {
    return ''
  }
  const whole = Math.round(Math.abs(milliseconds))
  const two = (value: number): string => String(value).padStart(2, '0')
  const [hours, minutes, seconds] = [
    Math.floor(whole / 3_600_000),
    Math.floor(whole / 60_000) % 60,
    Math.floor(whole / 1000) % 60,
  ]
  const rest = String(whole % 1000).padStart(3, '0')
  const sign = milliseconds < 0 ? '−' : '+'
  if (hours > 0) {
    return `${sign}${hours}:${two(minutes)}:${two(seconds)}.${rest}`
  }
  return minutes > 0 ? `${sign}${minutes}:${two(seconds)}.${rest}` : `${sign}${seconds}.${rest}`
}
