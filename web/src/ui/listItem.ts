import type { StatusType } from '@wikimedia/codex'

/** A fact about an item of a list: a text, lines, a time in seconds since the epoch, or code. */
export type Fact = { name: string } & (
  { text: string } | { lines: readonly string[] } | { at: number } | { code: string }
)

/** An item of a list, which can be ended, revoked or reset. */
export interface ListItem<T> {
  key: string
  value: T
  title: string
  chips: readonly { text: string; status?: StatusType }[]
  facts: readonly Fact[]
  /** The actions. `label` is for screen readers, and names the item. */
  buttons: readonly { text: string; label: string; press: () => void }[]
}
