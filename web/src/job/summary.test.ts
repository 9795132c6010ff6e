import { expect, test } from 'vitest'

import { aParam, aQueuedJob } from '@/api/testing.ts'
import { summaryOf } from './summary.ts'

const DECLARED = [
  aParam({ name: 'change', title: 'Changes', many: true }),
  aParam({ name: 'speed', title: 'Speed' }),
  aParam({ name: 'force', title: 'Force', kind: 'boolean' }),
]

const started = (params: Record<string, unknown>, data: Record<string, unknown> = {}) => aQueuedJob(1, { params, data })

test('the first parameter needs no title, and the order is that of the form', () => {
  expect(summaryOf(started({ force: true, speed: 10, change: ['42', '43'] }), DECLARED)).toBe(
    '42, 43 · Speed: 10 · Force',
  )
})

test('what is empty or off is left out', () => {
  expect(summaryOf(started({ change: [], speed: '', force: false }), DECLARED)).toBe('')
  expect(summaryOf(started({ speed: null }), DECLARED)).toBe('')
})

test('parameters that are not declared any more have their names', () => {
  expect(summaryOf(started({ change: '•••', old: { a: 1 } }), DECLARED)).toBe('••• · old: {"a":1}')
})

test('it is never long', () => {
  expect(summaryOf(started({ change: 'x'.repeat(100_000) }), DECLARED)).toHaveLength(201)
})

test('changes that were looked up are named by the subject of the first', () => {
  const declared = [
    aParam({ name: 'change', title: 'Changes', kind: 'gerrit-change', many: true }),
    ...DECLARED.slice(1),
  ]
  const infos = [
    { number: 42, subject: 'Fix the thing' },
    { number: 43, subject: 'And another' },
  ]
  const params = { change: ['42', '43'], speed: 10 }
  expect(summaryOf(started(params, { change_infos: infos }), declared)).toBe('42 Fix the thing, and 1 more · Speed: 10')
  expect(summaryOf(started({ change: '43' }, { change_infos: infos.slice(1) }), declared)).toBe('43 And another')
  expect(summaryOf(started(params, { change_infos: [] }), declared)).toBe('42, 43 · Speed: 10')
})
