import { serverTime } from '@/api/serverTime.ts'

const DATE = { year: 'numeric', month: '2-digit', day: '2-digit' } as const
const TIME = { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' } as const

// Sweden writes dates as ISO 8601 does.
const utcDate = new Intl.DateTimeFormat('sv-SE', { ...DATE, timeZone: 'UTC' })
const utcTime = new Intl.DateTimeFormat('sv-SE', { ...TIME, timeZone: 'UTC' })
const localTime = new Intl.DateTimeFormat('sv-SE', { ...DATE, ...TIME, timeZoneName: 'longOffset' })

/** `14:05:09` in UTC, preceded by the date unless it is today. Times are seconds since the epoch. */
export function formatTime(seconds: number, now: number = serverTime()): string {
  const time = new Date(seconds * 1000)
  const date = utcDate.format(time)
  return date === utcDate.format(now) ? utcTime.format(time) : `${date} ${utcTime.format(time)}`
}

/** `2026-11-24 15:05:09 GMT+01:00`: the same in the time zone of the browser. */
export function formatLocalTime(seconds: number): string {
  return localTime.format(new Date(seconds * 1000))
}

/** `4 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`: never more than two units. */
export function formatDuration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds))
  if (seconds > 0 && seconds < 1) {
    return '< 1 s'
  }
  const units: [number, string][] = [
    [Math.floor(whole / 86_400), 'd'],
    [Math.floor(whole / 3600) % 24, 'h'],
    [Math.floor(whole / 60) % 60, 'min'],
    [whole % 60, 's'],
  ]
  const first = units.findIndex(([count]) => count > 0)
  if (first === -1) {
    return '0 s'
  }
  const shown = units.slice(first, first + 2).filter(([count]) => count > 0)
  return shown.map(([count, unit]) => `${count} ${unit}`).join(' ')
}
