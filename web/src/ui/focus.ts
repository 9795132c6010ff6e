import { nextTick, onBeforeUpdate, onUpdated, watch, type Ref, type WatchSource } from 'vue'

/**
 * Keeps the keyboard where it was in a part of the page, when what had the focus there goes away or is disabled by one
 * of these changes. The fallback gets it: never another button, which an Enter too many would press.
 */
export function keepFocus(
  changes: WatchSource[],
  { within, fallback }: { within: () => HTMLElement | null; fallback: () => HTMLElement | null },
): void {
  watch(changes, async () => {
    // Before the page is changed.
    if (!within()?.contains(document.activeElement)) {
      return
    }
    await nextTick()
    const { activeElement } = document
    if (!within()?.contains(activeElement) || activeElement?.matches(':disabled')) {
      fallback()?.focus({ preventScroll: true })
    }
  })
}

/**
 * Moves the focus to a heading when the focused element below it goes away, as when a job ends while somebody is at its
 * buttons.
 */
export function useFocusFallback(
  within: Readonly<Ref<HTMLElement | null>>,
  heading: Readonly<Ref<HTMLElement | null>>,
): void {
  let hadFocus = false
  onBeforeUpdate(() => {
    hadFocus = within.value?.contains(document.activeElement) ?? false
  })
  onUpdated(() => {
    if (hadFocus && (document.activeElement === null || document.activeElement === document.body)) {
      heading.value?.focus({ preventScroll: true })
    }
  })
}
