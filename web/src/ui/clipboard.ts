/**
 * Copies a text.
 *
 * @throws Error if the browser does not allow it, with what to do instead.
 */
export async function copyText(text: string): Promise<void> {
  try {
    // Browsers offer it for https only.
    await navigator.clipboard.writeText(text)
  } catch {
    if (!copyTheOldWay(text)) {
      throw new Error('The browser does not allow copying. Select the text and copy it by hand')
    }
  }
}

/** The older way, for pages over http. */
function copyTheOldWay(text: string): boolean {
  const { activeElement } = document
  const area = document.createElement('textarea')
  area.value = text
  area.className = 'for-screen-readers'
  document.body.append(area)
  area.select()
  const isDone = document.execCommand('copy')
  area.remove()
  if (activeElement instanceof HTMLElement) {
    activeElement.focus({ preventScroll: true })
  }
  return isDone
}
