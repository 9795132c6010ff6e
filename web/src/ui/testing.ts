/** What a browser does that translates a page: each text node gives way to an element of its own. */
export function translate(root: Element): void {
  const nodes = document.createTreeWalker(root, NodeFilter.SHOW_TEXT)
  const texts: Text[] = []
  while (nodes.nextNode()) {
    texts.push(nodes.currentNode as Text)
  }
  for (const text of texts.filter(({ data }) => data.trim() !== '')) {
    const element = document.createElement('font')
    element.textContent = text.data.replace(/\S.*\S|\S/s, '«$&»')
    text.replaceWith(element)
  }
}
