import type { ChangeInfo } from '@/api/types.ts'
import { isAddress, type TextPart } from '@/text/linkify.ts'

import { isObject } from './info.ts'

/** A commit message in parts: texts, unescaped from HTML, and links to web pages. */
export function messageOf({ linkifiedCommitMsg: parts, commit_msg: plain }: ChangeInfo): TextPart[] {
  if (!Array.isArray(parts)) {
    return [{ text: typeof plain === 'string' ? plain : '' }]
  }
  return parts.flatMap((part: unknown) => {
    if (!isObject(part)) {
      return { text: unescaped(String(part)) }
    }
    const text = String(part.text)
    return isAddress(part.href) ? { text, href: part.href } : { text }
  })
}

const NAMED: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

/** Unescapes a text that was escaped for HTML. */
function unescaped(text: string): string {
  return text.replace(/&(?:(amp|lt|gt|quot|apos)|#(\d{1,7})|#[xX]([\da-fA-F]{1,6}));/g, (whole, name, decimal, hex) => {
    const code = decimal === undefined ? parseInt(hex, 16) : parseInt(decimal, 10)
    return NAMED[name] ?? (code <= 0x10ffff ? String.fromCodePoint(code) : whole)
  })
}
