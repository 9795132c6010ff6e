import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { PLAIN, plainText, scan, type Style } from './terminal.ts'

const looks = (text: string): Partial<Style>[] =>
  scan(text).map(({ style }) =>
    Object.fromEntries(Object.entries(style).filter(([key, value]) => value !== PLAIN[key as keyof Style])),
  )

// Strings in which sequences, and halves of them, are likely.
const terminalText = fc
  .array(
    fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom('\x1b', '\x1b[', '\x1b]', '\x1b]8;;', '\x07', '\x1b\\', '\r', '\n', '\x9b', ';', ':', '38', 'm'),
      fc.constantFrom('\x1b[31m', '\x1b[0m', '\x1b[1;38;2;1;2;3m', '\x1b[38:2::1:2:3m', '\x1b[2K', 'é', '漢', '🐷'),
    ),
  )
  .map((parts) => parts.join(''))

describe('spans', () => {
  test.each([
    ['\x1b[1mx', { bold: true }],
    ['\x1b[1;2mx', { bold: true, dim: true }],
    ['\x1b[1;2;22mx', {}],
    ['\x1b[3;4;7;9mx', { italic: true, underline: true, inverse: true, strike: true }],
    ['\x1b[3;4;7;9m\x1b[23;24;27;29mx', {}],
    ['\x1b[21mx', { underline: true }],
    ['\x1b[4:3mx', { underline: true }],
    ['\x1b[4m\x1b[4:0mx', {}],
    ['\x1b[31mx', { colour: 1 }],
    ['\x1b[97;104mx', { colour: 15, background: 12 }],
    ['\x1b[31;41m\x1b[39mx', { background: 1 }],
    ['\x1b[31;41m\x1b[49mx', { colour: 1 }],
    ['\x1b[38;5;208mx', { colour: 208 }],
    ['\x1b[38:5:208mx', { colour: 208 }],
    ['\x1b[48;2;1;2;3;1mx', { background: [1, 2, 3], bold: true }],
    ['\x1b[38:2:1:2:3mx', { colour: [1, 2, 3] }],
    ['\x1b[38:2::1:2:3;1mx', { colour: [1, 2, 3], bold: true }],
    ['\x1b[58;2;1;2;3;1mx', { bold: true }],
    ['\x1b[38;5;999mx', {}],
    ['\x1b[31m\x1b[mx', {}],
    ['\x1b[31m\x1b[0mx', {}],
    ['\x1b[31;;1mx', { bold: true }],
    // Not for the look of text, though they end with an m.
    ['\x1b[>4;2mx', {}],
    ['\x1b[?1mx', {}],
    ['\x1b[1 mx', {}],
  ])('%j', (text, style) => {
    expect(looks(text)).toEqual([style])
  })

  test('a look holds until it is changed', () => {
    expect(scan('a\x1b[31mb\x1b[1mc\x1b[0md').map(({ text }) => text)).toEqual(['a', 'b', 'c', 'd'])
    expect(looks('a\x1b[31mb\x1b[1mc\x1b[0md')).toEqual([{}, { colour: 1 }, { colour: 1, bold: true }, {}])
  })
})

describe('text', () => {
  test.each([
    ['\x1b[2K\x1b[1Gdone\x1b[?25h', 'done'],
    ['\x1b]0;a title\x07text', 'text'],
    ['\x1b]0;a title\x1b\\text', 'text'],
    ['\x1b]8;;https://example.org/\x1b\\the link\x1b]8;;\x1b\\.', 'the link.'],
    ['\x1bPdevice\x1b\\text', 'text'],
    ['\x1b(Btext', 'text'],
    ['\x1b7text\x1b8', 'text'],
    ['a\0b\x08c\x7f', 'a␀b␈c␡'],
    ['bell\x07', 'bell'],
    ['tab\tand\nline', 'tab\tand\nline'],
    ['windows\r\nline\r', 'windows\nline'],
    ['10%\r20%', '10%␍20%'],
  ])('%j is shown as %j', (text, shown) => {
    expect(plainText(text)).toBe(shown)
  })

  test.each([
    [
      'Deploying \u00e2\u0080\u009ccore\u00e2\u0080\u009d failed: host mw1 is down',
      'Deploying â<80><9c>coreâ<80><9d> failed: host mw1 is down',
    ],
    ['\u00d0\u009e ENOSPC on /srv', 'Ð<9e> ENOSPC on /srv'],
    ['\x9b31mx', '<9b>31mx'],
    ['next\x85line', 'next<85>line'],
    ['\x1b]0;never ended\nnext', '␛]0;never ended\nnext'],
    ['\x1b]0;ended elsewhere\x9c failed', '␛]0;ended elsewhere<9c> failed'],
    ['\x1bPnever ended', '␛Pnever ended'],
    ['\x1b[31', '␛[31'],
    ['\x1b[3é', '␛[3é'],
    ['\x1b\x1b[1mx', '␛x'],
    ['\x1bFailed', '␛Failed'],
    ['failed\x1b', 'failed␛'],
  ])('%j only looks like a sequence, and is shown: %j', (text, shown) => {
    expect(plainText(text)).toBe(shown)
  })

  test('of every code point that could begin a sequence, what is behind it is shown', () => {
    for (let code = 0; code < 0x100; code += 1) {
      expect(plainText(`a${String.fromCharCode(code)} failed: mw1`)).toContain(' failed: mw1')
    }
  })

  test('is kept exactly where there are no control characters', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        // eslint-disable-next-line no-control-regex
        fc.pre(!/[\0-\x08\x0b-\x1f\x7f-\x9f]/.test(text))
        expect(plainText(text)).toBe(text)
      }),
    )
  })

  test('is kept exactly between sequences', () => {
    const sequence = fc.constantFrom(
      '\x1b[31m',
      '\x1b[0m',
      '\x1b[2K',
      '\x1b]0;t\x07',
      '\x1b]8;;u\x1b\\',
      '\x1b(B',
      '\x07',
    )
    const parts = fc.array(fc.tuple(fc.stringMatching(/^[ -~é漢\n\t]*$/), sequence))
    fc.assert(
      fc.property(parts, (all) => {
        expect(plainText(all.flat().join(''))).toBe(all.map(([text]) => text).join(''))
      }),
    )
  })

  test('never has a control character that a page would swallow', () => {
    fc.assert(
      fc.property(terminalText, (text) => {
        // eslint-disable-next-line no-control-regex
        expect(plainText(text)).not.toMatch(/[\0-\x08\x0b-\x1f\x7f-\x9f]/)
      }),
    )
  })
})

test('a sequence of any length is looked through once', () => {
  expect(plainText(`\x1b[${'1;'.repeat(100)}mtext`)).toBe('text')
  expect(plainText(`\x1b[${'1;'.repeat(100_000)}mtext`)).toContain('1;1;')
  expect(plainText(`\x1b]${'x'.repeat(100_000)}\ntext`)).toBe(`␛]${'x'.repeat(100_000)}\ntext`)
  // Each could be the beginning of one.
  expect(plainText('\x1b]'.repeat(100_000))).toBe('␛]'.repeat(100_000))
})
