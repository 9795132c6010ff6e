import type { StatusType } from '@wikimedia/codex'

/** What a list says of one of its items: a text, lines, a time in seconds since the epoch, or code. */
export type Fact = { name: string } & (
  { text: string } | { lines: readonly string[] } | { at: number } | { code: string }
)

/** Something in a list that can be ended, revoked or reset. */
export interface ListItem<T> {
  key: string
  value: T
  title: string
  chips: readonly { text: string; status?: StatusType }[]
  facts: readonly Fact[]
  /** What can be done with it. `label` says it for screen readers: which one of the list is meant. */
  buttons: readonly { text: string; label: string; press: () => void }[]
}
