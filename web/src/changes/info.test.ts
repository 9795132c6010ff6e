import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import type { ChangeInfo } from '@/api/types.ts'

import { changesInShort, changesOf, messageOf, otherData, startedAnywayOf } from './info.ts'
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

test('on one line there is the first change, and how many more', () => {
  const [first, second] = [aChangeInfo({ number: 42, subject: 'Fix the thing' }), aChangeInfo({ number: 43 })]
  expect(changesInShort({ change_infos: [first] })).toBe('42 Fix the thing')
  expect(changesInShort({ change_infos: [first, second] })).toBe('42 Fix the thing, and 1 more')
  expect(changesInShort({ change_infos: [] })).toBeNull()
  expect(changesInShort({})).toBeNull()
})

test('what is no change is no change', () => {
  expect(changesOf({ change_infos: [null, 3, {}, { number: '1', subject: 'x' }] })).toEqual([])
  expect(changesOf({ change_infos: 'x' })).toEqual([])
})

test('who started it anyway is known if it is whole', () => {
  expect(startedAnywayOf({ started_anyway: { by: 'ada', problems: ['x'] } })).toEqual({ by: 'ada', problems: ['x'] })
  expect(startedAnywayOf({ started_anyway: true })).toBeNull()
  expect(startedAnywayOf({})).toBeNull()
})

test('what has no place of its own stays among the data', () => {
  const whole = { change_infos: [aChangeInfo()], started_anyway: { by: 'ada', problems: [] }, note: 'x' }
  expect(otherData(whole)).toEqual({ note: 'x' })
  const odd = { change_infos: ['x'], started_anyway: 'yes' }
  expect(otherData(odd)).toEqual(odd)
})
