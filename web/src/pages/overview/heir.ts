import { onBeforeUpdate, onUpdated, type Ref } from 'vue'

/**
 * Gives the focus to a heading when what had it goes away below it, as a job does that ends while somebody is at its
 * buttons.
 */
export function useHeir(within: Readonly<Ref<HTMLElement | null>>, heading: Readonly<Ref<HTMLElement | null>>): void {
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
