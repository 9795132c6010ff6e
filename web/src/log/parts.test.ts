import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { plainText } from '@/text/terminal.ts'

import { shownOf, type Part } from './parts.ts'

const textOf = (parts: Part[]): string => parts.flatMap(({ pieces }) => pieces.map(({ text }) => text)).join('')
const found = (text: string, needle: string): string[] =>
  shownOf(text, needle, 8000).parts.flatMap(({ pieces }) =>
    pieces.filter(({ isMatch }) => isMatch).map(({ text }) => text),
  )

describe('what is shown of a line', () => {
  test('links go over changes of colour', () => {
    const { parts } = shownOf('see https://\x1b[31mexample\x1b[0m.org/x, please', '', 8000)
    expect(parts.map(({ href }) => href)).toEqual([null, 'https://example.org/x', null])
    expect(parts[1]?.pieces.map(({ text }) => text)).toEqual(['https://', 'example', '.org/x'])
    expect(parts[1]?.pieces[1]?.paint.classes).toEqual(['log-text--coloured'])
  })

  test('nothing but http(s) becomes a link', () => {
    expect(shownOf('javascript:alert(1) ftp://x data:text/html,x', '', 8000).parts.map(({ href }) => href)).toEqual([
      null,
    ])
  })

  test('matches are found whatever their case, as text, and over changes of colour', () => {
    expect(found('Error: an ERROR', 'error')).toEqual(['Error', 'ERROR'])
    expect(found('er\x1b[31mr\x1b[0mor', 'error')).toEqual(['er', 'r', 'or'])
    expect(found('a.b axb [x] (', '.')).toEqual(['.'])
    expect(found('a.b axb [x] (', '[x]')).toEqual(['[x]'])
    expect(found('a/b-c \\ {1}', '\\')).toEqual(['\\'])
    expect(found('text', '')).toEqual([])
  })

  test('is cut, but not within a character', () => {
    const shown = shownOf(`${'x'.repeat(9)}🐷yyy`, '', 10)
    expect(textOf(shown.parts)).toBe('x'.repeat(9))
    expect(shown.left).toBe(5)
  })

  test('together is the text, whatever is in it and searched for', () => {
    const text = fc
      .array(fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('\x1b[31m', '\x1b[0m', 'https://a.b/', 'İ', 'ß')))
      .map((parts) => parts.join(''))
    fc.assert(
      fc.property(
        text,
        fc.oneof(fc.string(), fc.constantFrom('a', 'i', 'ss', '://')),
        fc.nat(60),
        (line, needle, most) => {
          const plain = plainText(line)
          expect(textOf(shownOf(line, needle, Infinity).parts)).toBe(plain)
          const { parts, left } = shownOf(line, needle, most)
          expect(textOf(parts)).toBe(plain.slice(0, plain.length - left))
          expect(textOf(parts).length).toBeLessThanOrEqual(most)
        },
      ),
      { numRuns: 500 },
    )
  })
})
