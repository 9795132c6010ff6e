/** Forms and fields that the user has touched. As long as they are in the page, their input may be unsaved. */
const touched = new Set<Element>()

/** Tracks what the user types and clicks, from now on. */
export function trackInput(): void {
  document.addEventListener('input', notice, true)
  document.addEventListener('click', notice, true)
}

/** Whether the user would lose input or a decision if the page went away. */
export function hasUnsavedInput(): boolean {
  touched.forEach((element) => element.isConnected || touched.delete(element))
  const isOpen = document.querySelector('[role="dialog"]:not([hidden]), [aria-modal="true"]') !== null
  return touched.size > 0 || isOpen || document.activeElement?.matches('input, textarea, select') === true
}

function notice({ target, type }: Event): void {
  const within = target instanceof Element ? target.closest('form, [role="dialog"]') : null
  const element = within ?? (type === 'input' ? target : null)
  if (element instanceof Element) {
    touched.add(element)
  }
}
