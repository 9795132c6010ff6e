import { ref, shallowRef, type Ref, type ShallowRef } from 'vue'

/** What a `ConfirmDialog` asks about. */
export interface Confirmation<T> {
  /** It stays while the dialog closes, as it is still visible. */
  item: Readonly<ShallowRef<T | null>>
  isOpen: Ref<boolean>
  /** Opens the dialog for an item. */
  ask: (item: T) => void
}

export function useConfirmation<T>(): Confirmation<T> {
  const item = shallowRef<T | null>(null)
  const isOpen = ref(false)
  return {
    item,
    isOpen,
    ask(one) {
      item.value = one
      isOpen.value = true
    },
  }
}
