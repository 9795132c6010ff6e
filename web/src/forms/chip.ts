/** A value that was chosen, as it is shown. */
export interface Chip {
  text: string
  /** What the button that removes it calls it. */
  name: string
  /** What somebody should know of it. */
  warning?: string | null
}
