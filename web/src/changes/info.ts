import type { ChangeInfo } from '@/api/types.ts'
import { isAddress, type TextPart } from '@/ui/linkify.ts'

/** Who started a job although something spoke against it, and what that was. */
export interface StartedAnyway {
  by: string
  problems: string[]
}

/** The changes that a job deploys. What is not one is left out: programs may write what they like into `data`. */
export function changesOf(data: Record<string, unknown>): ChangeInfo[] {
  return Array.isArray(data.change_infos) ? data.change_infos.filter(isChangeInfo) : []
}

function isChangeInfo(value: unknown): value is ChangeInfo {
  return isObject(value) && typeof value.number === 'number' && typeof value.subject === 'string'
}

export function startedAnywayOf({ started_anyway: value }: Record<string, unknown>): StartedAnyway | null {
  return isObject(value) && typeof value.by === 'string' && Array.isArray(value.problems)
    ? { by: value.by, problems: value.problems.map(String) }
    : null
}

/** What is in the data of a job beside these. */
export function otherData(data: Record<string, unknown>): Record<string, unknown> {
  const shown = [changesOf(data).length > 0 && 'change_infos', startedAnywayOf(data) !== null && 'started_anyway']
  return Object.fromEntries(Object.entries(data).filter(([name]) => !shown.includes(name)))
}

/** On one line: `1234567 Fix the thing, and 1 more`. Null if there are none. */
export function changesInShort(data: Record<string, unknown>): string | null {
  const [first, ...more] = changesOf(data)
  if (first === undefined) {
    return null
  }
  const rest = more.length === 0 ? '' : `, and ${more.length} more`
  return `${first.number} ${first.subject}${rest}`
}

/** The message of a commit: texts that were escaped for HTML, as they are, and links, where they lead to a web page. */
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

/** Takes back what escaping a text for HTML does. */
function unescaped(text: string): string {
  return text.replace(/&(?:(amp|lt|gt|quot|apos)|#(\d{1,7})|#[xX]([\da-fA-F]{1,6}));/g, (whole, name, decimal, hex) => {
    const code = decimal === undefined ? parseInt(hex, 16) : parseInt(decimal, 10)
    return NAMED[name] ?? (code <= 0x10ffff ? String.fromCodePoint(code) : whole)
  })
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
