import { execFileSync } from 'node:child_process'

import fc from 'fast-check'
import { expect, test } from 'vitest'

import { commandText, shellCommand } from './shell.ts'

test('plain words stay as they are', () => {
  expect(shellCommand(['scap', 'backport', '--message=x', '42', '/srv/a_b.txt'])).toBe(
    'scap backport --message=x 42 /srv/a_b.txt',
  )
})

test('other words are quoted', () => {
  expect(shellCommand(['echo', '', "it's", 'a b', '$HOME', '~', '*'])).toBe(`echo '' 'it'\\''s' 'a b' '$HOME' '~' '*'`)
})

test('a first word never sets a variable', () => {
  expect(shellCommand(['A=b', 'A=b'])).toBe(`'A=b' A=b`)
})

test('a shell reads back what was written', () => {
  const word = fc.string({ unit: 'grapheme' }).filter((text) => !text.includes('\0'))
  fc.assert(
    fc.property(fc.array(word, { minLength: 1, maxLength: 5 }), (words) => {
      const said = execFileSync('/bin/sh', ['-c', `printf '%s\\0' ${shellCommand(words)}`], { encoding: 'utf8' })
      expect(said.split('\0').slice(0, -1)).toEqual(words)
    }),
    { numRuns: 30 },
  )
})

test('the command of a job is read from its JSON', () => {
  expect(commandText('["sh","-c","a b"]')).toBe(`sh -c 'a b'`)
})

test.each(['', 'no JSON', '{"a":1}'])('a command that is no list is shown as it is: %s', (command) => {
  expect(commandText(command)).toBe(command)
})
