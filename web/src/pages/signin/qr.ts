/** The width of the light border in modules: ISO/IEC 18004 requires four. */
export const QUIET_ZONE = 4

/** Draws the dark modules of a QR code as one SVG path: for each row, a rectangle for each run of `1`. */
export function qrPath(rows: readonly string[]): string {
  return rows
    .flatMap((row, y) =>
      Array.from(row.matchAll(/1+/gu), ({ index, 0: { length } }) => `M${index} ${y}h${length}v1h-${length}z`),
    )
    .join('')
}

/** The view box of the drawing: the code with its quiet zone. */
export function qrViewBox(rows: readonly string[]): string {
  const size = rows.length + 2 * QUIET_ZONE
  return `-${QUIET_ZONE} -${QUIET_ZONE} ${size} ${size}`
}
