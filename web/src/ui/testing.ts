/** Replaces each text node by an element, as a browser does when it translates a page. */
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
