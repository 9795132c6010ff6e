import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { aParam } from '@/api/testing.ts'
import type { Param } from '@/api/types.ts'

import { added, draftFromAddress, draftOf, problemOf, problemsOf, serverProblemsOf, split, valuesOf } from './fields.ts'

const NUMBER = aParam({ kind: 'integer' })
const CHANGE = aParam({ kind: 'gerrit-change' })
const CHANGES = aParam({ kind: 'gerrit-change', many: true })
const CHOICE = aParam({ kind: 'choice', choices: ['a', 'b'] })
const SWITCH = aParam({ kind: 'boolean' })
const HIDDEN = { sensitive: true, default: '•••' }

describe('a field that nobody has touched', () => {
  test.each([
    [aParam(), ''],
    [aParam({ default: 'x' }), 'x'],
    [aParam({ kind: 'integer', default: 7 }), '7'],
    [CHANGE, ''],
    [CHANGES, []],
    [aParam({ kind: 'integer', many: true, default: [1, 2] }), ['1', '2']],
    [CHOICE, ''],
    [SWITCH, false],
    [aParam({ kind: 'boolean', default: true }), true],
  ])('holds the default: %#', (param, draft) => {
    expect(draftOf(param)).toEqual(draft)
    expect(problemOf(param, draft)).toBeNull()
  })

  test('never holds the mask of a hidden default, and sends nothing for it', () => {
    const hidden = [
      aParam({ ...HIDDEN, name: 'a', required: true }),
      aParam({ ...HIDDEN, name: 'b', many: true }),
      aParam({ ...HIDDEN, name: 'c', kind: 'boolean' }),
      aParam({ ...HIDDEN, name: 'd', kind: 'choice', choices: ['x'] }),
    ]
    const drafts = new Map(hidden.map((param) => [param.name, draftOf(param)]))
    expect([...drafts.values()]).toEqual(['', [], null, ''])
    expect(problemsOf(hidden, drafts).size).toBe(0)
    expect(valuesOf(hidden, drafts)).toEqual({})
  })
})

describe('what is sent', () => {
  const sent = (param: Param, draft: Parameters<typeof problemOf>[1]) =>
    valuesOf([param], new Map([[param.name, draft]]))

  test.each([
    ['a text, untouched', aParam(), ' as it is ', { word: ' as it is ' }],
    ['a number as a number', NUMBER, ' 12 ', { word: 12 }],
    ['numbers as numbers', aParam({ kind: 'integer', many: true }), ['1', '2'], { word: [1, 2] }],
    ['a change without white space around it', CHANGE, ' 42\t', { word: '42' }],
    ['changes as a list', CHANGES, ['42', 'https://x/43'], { word: ['42', 'https://x/43'] }],
    ['a change once', CHANGES, ['42', '42'], { word: ['42'] }],
    ['a choice', CHOICE, 'b', { word: 'b' }],
    ['a switch that is off', SWITCH, false, { word: false }],
    ['a switch that is on', SWITCH, true, { word: true }],
    ['a default, as it is shown', aParam({ kind: 'integer', default: 7 }), '7', { word: 7 }],
    ['nothing for an empty field without a default', aParam(), '', {}],
    ['nothing for an empty number', NUMBER, '  ', {}],
    ['nothing for an empty list', CHANGES, [], {}],
    ['an emptied text, which is not the default', aParam({ default: 'x' }), '', { word: '' }],
    ['an emptied number, which is not the default', aParam({ kind: 'integer', default: 7 }), '', { word: '' }],
    ['an emptied list, which is not the default', aParam({ many: true, default: ['x'] }), [], { word: [] }],
    ['a text instead of a hidden default', aParam(HIDDEN), 'y', { word: 'y' }],
  ])('%s', (_, param, draft, values) => {
    expect(sent(param, draft)).toEqual(values)
  })

  test('a parameter may have any name', () => {
    const params = ['__proto__', 'constructor'].map((name) => aParam({ name, required: true }))
    const drafts = new Map(params.map(({ name }) => [name, 'x']))
    expect(problemsOf(params, drafts).size).toBe(0)
    expect(JSON.stringify(valuesOf(params, drafts))).toBe('{"__proto__":"x","constructor":"x"}')
  })
})

describe('rules', () => {
  const REQUIRED = 'This is required and must not be empty'
  const DASH = 'This must not begin with `-`'
  const WHOLE = 'This must be a whole number'
  const CONTROL = 'This must not contain control characters such as line ends or tabs'
  const NO_CHANGE = 'This must be the number of a Gerrit change or its http(s) address'

  test.each([
    [aParam({ required: true }), '', REQUIRED],
    [aParam({ required: true, default: 'x' }), '', REQUIRED],
    [aParam({ required: true, many: true }), [], REQUIRED],
    [aParam({ required: true, kind: 'integer' }), '  ', REQUIRED],
    [aParam({ required: true, kind: 'choice', choices: ['a'] }), '', REQUIRED],
    [aParam({ required: true, kind: 'boolean' }), false, null],
    [aParam(), '', null],
    [aParam(), '-x', DASH],
    [aParam({ allow_dash: true }), '-x', null],
    [aParam(), 'x-', null],
    [aParam(), 'a\tb', CONTROL],
    [aParam(), 'a\u0085b', CONTROL],
    [aParam(), 'ä €', null],
    [aParam(), 'x'.repeat(65_536), null],
    [aParam(), 'x'.repeat(65_537), 'This must be at most 65536 bytes long'],
    [aParam(), 'ä'.repeat(32_769), 'This must be at most 65536 bytes long'],
    [NUMBER, '0', null],
    [NUMBER, '007', null],
    [NUMBER, '1.5', WHOLE],
    [NUMBER, '1e3', WHOLE],
    [NUMBER, '0x10', WHOLE],
    [NUMBER, 'one', WHOLE],
    [NUMBER, '9007199254740992', 'This is too large a number for this page'],
    [NUMBER, '-1', DASH],
    [aParam({ kind: 'integer', min: -2, allow_dash: true }), '-2', null],
    [aParam({ kind: 'integer', min: -2, allow_dash: true }), '-3', 'This must be at least -2'],
    [aParam({ kind: 'integer', min: 1, max: 9 }), '0', 'This must be at least 1'],
    [aParam({ kind: 'integer', min: 1, max: 9 }), '1', null],
    [aParam({ kind: 'integer', min: 1, max: 9 }), '9', null],
    [aParam({ kind: 'integer', min: 1, max: 9 }), '10', 'This must be at most 9'],
    [CHOICE, 'a', null],
    [CHOICE, 'c', 'This must be one of a, b'],
    [CHANGE, '1', null],
    [CHANGE, '999999999', null],
    [CHANGE, '1000000000', NO_CHANGE],
    [CHANGE, '042', NO_CHANGE],
    [CHANGE, '0', NO_CHANGE],
    [CHANGE, '４２', NO_CHANGE],
    [CHANGE, 'I0123abc', NO_CHANGE],
    [CHANGE, '-1', DASH],
    [CHANGE, 'https://gerrit.wikimedia.org/r/c/operations/mediawiki-config/+/42', null],
    [CHANGE, 'HTTP://user@gerrit:8080/42?x#y', null],
    [CHANGE, 'https://', NO_CHANGE],
    [CHANGE, 'https:///42', NO_CHANGE],
    [CHANGE, 'https://user@/42', NO_CHANGE],
    [CHANGE, 'https://:80/42', NO_CHANGE],
    [CHANGE, 'https://gerrit/4 2', NO_CHANGE],
    [CHANGE, 'ftp://gerrit/42', NO_CHANGE],
    [CHANGE, 'gerrit/42', NO_CHANGE],
  ])('%#: %o', (param, draft, problem) => {
    expect(problemOf(param, draft)).toBe(problem)
  })

  test('a change is one of the Gerrit that is known', () => {
    const change = aParam({ kind: 'gerrit-change', gerritUrl: 'https://gerrit.example.org/r/' })
    const problem = 'This must be the number of a Gerrit change or its address at https://gerrit.example.org/r/'
    expect(problemOf(change, '42')).toBeNull()
    expect(problemOf(change, 'https://gerrit.example.org/r/c/mediawiki/core/+/42')).toBeNull()
    expect(problemOf(change, 'https://gerrit.example.org/r/q/42')).toBe(problem)
    expect(problemOf(change, 'https://gerrit.example.com/r/42')).toBe(problem)
  })

  test('what is wrong in a list is said of its first such value, and shortly', () => {
    expect(problemOf(CHANGES, ['42', 'x', 'y'])).toMatch(/^“x” must be the number/)
    expect(problemOf(CHANGES, ['x'.repeat(1000)])).toMatch(/^“x{40}…” must be/)
  })

  test('a secret is not repeated', () => {
    const secrets = aParam({ many: true, sensitive: true })
    expect(problemOf(secrets, ['-secret'])).toBe('One of the values must not begin with `-`')
  })

  test('every change number that the rule allows passes, and no other', () => {
    fc.assert(
      fc.property(fc.nat({ max: 2_000_000_000 }), (number) => {
        expect(problemOf(CHANGE, String(number)) === null).toBe(number >= 1 && number <= 999_999_999)
      }),
    )
  })
})

describe('a pattern', () => {
  const problem = (pattern: string, text: string) => problemOf(aParam({ pattern }), text)

  test('has to match all of the text', () => {
    expect(problem('[a-z]+', 'abc')).toBeNull()
    expect(problem('[a-z]+', 'abc1')).toBe('This must match the pattern `[a-z]+`')
    expect(problem('a|b', 'ab')).toMatch('must match')
  })

  test.each(['(?i)abc', '\\Aabc\\z', '[[:alpha:]]+', '\\pL+', '[a-z&&[^b]]+', '[a-z--b]+', '(?P<x>a)', '[]a]+'])(
    'that JavaScript does not know, or reads otherwise, is left to the server: %s',
    (pattern) => {
      expect(problem(pattern, '123')).toBeNull()
    },
  )

  test('means more beyond ASCII to the server than to a browser', () => {
    expect(problem('\\w+', 'grün')).toBeNull()
    expect(problem('\\w+', 'green!')).toMatch('must match')
  })
})

describe('a list from what is pasted', () => {
  test.each([
    ['42', ['42']],
    ['42 43,44', ['42', '43', '44']],
    [' 42,\r\n\thttps://x/43 ,, ', ['42', 'https://x/43']],
    [' ,\n', []],
  ])('of changes is split at white space and commas: %j', (text, values) => {
    expect(split(CHANGES, text)).toEqual(values)
  })

  test('of texts is split at what no text may have', () => {
    expect(split(aParam({ many: true }), 'one, two\r\nthree\tfour')).toEqual(['one, two', 'three', 'four'])
  })

  test('has a change once, and a text as often as it was given', () => {
    expect(added(CHANGES, ['1', '2'], ['2', '3', '3'])).toEqual(['1', '2', '3'])
    expect(added(aParam({ many: true }), ['-v'], ['-v'])).toEqual(['-v', '-v'])
  })

  test('of changes never has an empty value, or one that would be split again', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        for (const value of split(CHANGES, text)) {
          expect(split(CHANGES, value)).toEqual([value])
        }
      }),
    )
  })
})

describe('an address that fills in a form', () => {
  test.each([
    ['a text', aParam(), ['x', 'y'], 'x'],
    ['a number', NUMBER, ['5'], '5'],
    ['changes', CHANGES, ['1', '2,3'], ['1', '2', '3']],
    ['a switch', SWITCH, ['true'], true],
    ['a switch that is on by default', aParam({ kind: 'boolean', default: true }), ['false'], false],
    ['a choice', CHOICE, ['b'], 'b'],
    ['no choice that does not exist', CHOICE, ['z'], ''],
    ['nothing where it names nothing', aParam({ default: 'x' }), [], 'x'],
    ['no secret', aParam({ sensitive: true }), ['x'], ''],
  ])('%s', (_, param, values, draft) => {
    expect(draftFromAddress(param, values)).toEqual(draft)
  })
})

test('what the server says is put to the fields that it names', () => {
  const said = serverProblemsOf(
    [aParam()],
    [
      { loc: ['body', 'params', 'word'], msg: 'parameter `word` must match the pattern `x`' },
      { loc: ['body', 'params', 'other'], msg: 'job type `t` has no parameter `other`' },
      { loc: ['body', 'type'], msg: 'No job type has this name' },
    ],
  )
  expect(said.fields).toEqual(new Map([['word', 'This must match the pattern `x`']]))
  expect(said.rest).toEqual(['job type `t` has no parameter `other`', 'No job type has this name'])
})
