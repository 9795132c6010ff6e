const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB']

/** `512 B`, `70 MiB`, `1.5 GiB`: with one decimal below 10. */
export function formatBytes(bytes: number): string {
  let [number, unit] = [Math.max(0, bytes), 0]
  while (number >= 1024 && unit < UNITS.length - 1) {
    number /= 1024
    unit++
  }
  return `${unit > 0 && number < 10 ? number.toFixed(1) : Math.round(number)} ${UNITS[unit]}`
}
