import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import type { ChangeInfo } from '@/api/types.ts'

import { messageOf } from './message.ts'
import { aChangeInfo } from './testing.ts'

const message = (...parts: unknown[]) =>
  messageOf(aChangeInfo({ linkifiedCommitMsg: parts as ChangeInfo['linkifiedCommitMsg'] }))

/** As Python's `html.escape` does, and `markupsafe`. */
function escaped(text: string): string {
  const names: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#x27;' }
  return text.replace(/[&<>"']/g, (one) => names[one] ?? one)
}

describe('a commit message', () => {
  test('is what it was before it was escaped', () => {
    const texts = fc.array(fc.oneof(fc.string(), fc.constantFrom('&amp;', '&lt;', '<b>', '&#39;', "'", '"')))
    fc.assert(
      fc.property(texts, (texts) => {
        const text = texts.join('')
        expect(message(escaped(text))).toEqual([{ text }])
      }),
    )
  })

  test.each([
    ['&#39;&#34;', '\'"'],
    ['&#X3C;&apos;', "<'"],
    ['&nbsp;&AMP;&lt &#99999999; &#x110000;', '&nbsp;&AMP;&lt &#99999999; &#x110000;'],
  ])('has %j as %j', (text, shown) => {
    expect(message(text)).toEqual([{ text: shown }])
  })

  test('has links to web pages, and to nothing else', () => {
    const link = { type: 'link', href: 'https://phabricator.example.org/T123', text: 'T123' }
    expect(message('Bug: ', link)).toEqual([{ text: 'Bug: ' }, { text: 'T123', href: link.href }])
    expect(message({ ...link, href: 'javascript:alert(1)' })).toEqual([{ text: 'T123' }])
    expect(message({ ...link, href: undefined })).toEqual([{ text: 'T123' }])
  })

  test('of which nobody has made links is shown as it is', () => {
    const info = aChangeInfo({ commit_msg: 'Fix &amp; go' })
    expect(messageOf({ ...info, linkifiedCommitMsg: undefined } as unknown as ChangeInfo)).toEqual([
      { text: 'Fix &amp; go' },
    ])
  })
})
