/** A part of a text: plain, or with an address to go to. */
export interface TextPart {
  text: string
  href?: string
}

// An address ends before white space, quotes and brackets, and the marks that end a sentence are not a part of it.
const ADDRESS = /https?:\/\/[^\s\p{Cc}<>"'`]*[^\s\p{Cc}<>"'`.,;:!?)\]}]/gu

/** Cuts a text into what is an http(s) address and what is not. Together the parts are the text. */
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

/** Whether a text is an address that a link may lead to: one of http or https. */
export function isAddress(text: unknown): text is string {
  return typeof text === 'string' && /^https?:\/\//i.test(text) && URL.canParse(text)
}
