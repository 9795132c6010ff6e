/** A part of a text: plain, or a link. */
export interface TextPart {
  text: string
  href?: string
}

// An address ends before white space, quotes and brackets, and does not include the punctuation at the end of a
// sentence.
const ADDRESS = /https?:\/\/[^\s\p{Cc}<>"'`]*[^\s\p{Cc}<>"'`.,;:!?)\]}]/gu

/** Splits a text into http(s) addresses and the rest. All parts together are the text. */
export function linkify(text: string): TextPart[] {
  const parts: TextPart[] = []
  let end = 0
  for (const match of text.matchAll(ADDRESS)) {
    if (match.index > end) {
      parts.push({ text: text.slice(end, match.index) })
    }
    parts.push({ text: match[0], href: match[0] })
    end = match.index + match[0].length
  }
  if (end < text.length) {
    parts.push({ text: text.slice(end) })
  }
  return parts
}

/** Whether a value is an http(s) address, which a link may lead to. */
export function isAddress(text: unknown): text is string {
  return typeof text === 'string' && /^https?:\/\//i.test(text) && URL.canParse(text)
}
