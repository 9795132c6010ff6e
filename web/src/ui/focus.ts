import { nextTick, watch, type WatchSource } from 'vue'

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
