import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { isAddress, linkify } from './linkify.ts'

const links = (text: string) => linkify(text).flatMap(({ href }) => href ?? [])
const pieces = fc.oneof(
  fc.string(),
  fc.constantFrom('http://', 'https://', 'https://a.b/c', ' ', '.', ')', '\n', '"', '<'),
)

describe('the parts of a text', () => {
  test('are the text', () => {
    fc.assert(
      fc.property(fc.array(pieces), (texts) => {
        const text = texts.join('')
        expect(
          linkify(text)
            .map((part) => part.text)
            .join(''),
        ).toBe(text)
      }),
    )
  })

  test('lead to http and https only, and where they say', () => {
    fc.assert(
      fc.property(fc.array(pieces), (texts) => {
        for (const { text, href } of linkify(texts.join(''))) {
          expect(text).not.toBe('')
          if (href !== undefined) {
            expect(href).toBe(text)
            expect(href).toMatch(/^https?:\/\/\S+$/)
          }
        }
      }),
    )
  })
})

describe('an address', () => {
  test.each([
    ['See https://example.org/a?b=c#d, then go.', ['https://example.org/a?b=c#d']],
    ['(https://example.org/a)', ['https://example.org/a']],
    ['<https://example.org/>', ['https://example.org/']],
    ['"https://example.org"', ['https://example.org']],
    ['https://a.example/ http://b.example/x.', ['https://a.example/', 'http://b.example/x']],
    ['https://de.wikipedia.org/wiki/Übung', ['https://de.wikipedia.org/wiki/Übung']],
    ['│ https://example.org/c/1 │', ['https://example.org/c/1']],
  ])('is found in %j', (text, found) => {
    expect(links(text)).toEqual(found)
  })

  test.each(['javascript:alert(1)', 'ftp://example.org', 'https://', 'https://...', 'T123123', 'example.org'])(
    'is not %j',
    (text) => {
      expect(links(text)).toEqual([])
    },
  )
})

describe('a link', () => {
  test.each(['https://example.org/c/1', 'HTTP://example.org'])('may lead to %j', (text) => {
    expect(isAddress(text)).toBe(true)
  })

  test.each([
    'javascript:alert(1)',
    ' https://example.org',
    '//example.org',
    '/jobs/1',
    'https://',
    'data:,x',
    null,
    3,
  ])('may not lead to %j', (text) => {
    expect(isAddress(text)).toBe(false)
  })
})
