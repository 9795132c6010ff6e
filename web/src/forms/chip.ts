/** A chosen value, as it is shown. */
export interface Chip {
  text: string
  /** Its name in the label of the remove button. */
  name: string
  /** A warning about it. */
  warning?: string | null
}
