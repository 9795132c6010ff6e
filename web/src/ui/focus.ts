import { nextTick, onBeforeUpdate, onUpdated, watch, type Ref, type WatchSource } from 'vue'

/**
 * Moves the focus to a fallback when one of these changes removes or disables the focused element in a part of the
 * page. The fallback should not be a button, which an accidental Enter would press.
 */
export function keepFocus(
  changes: WatchSource[],
  { within, fallback }: { within: () => HTMLElement | null; fallback: () => HTMLElement | null },
): void {
  watch(changes, async () => {
    // This runs before the page is updated.
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
