/** What somebody has done something in, such as a form: as long as it is in the page they may not be done with it. */
const touched = new Set<Element>()

/** Notices from now on what people type and choose. */
export function trackInput(): void {
  document.addEventListener('input', notice, true)
  document.addEventListener('click', notice, true)
}

/** Whether somebody may lose what they have typed, or what they are about to decide, should the page go away. */
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
