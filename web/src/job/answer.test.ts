import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { ApiError } from '@/api/client.ts'
import { aJob, aPrompt } from '@/api/testing.ts'
import type { LogMark } from '@/api/types.ts'

import {
  accepted,
  answerIn,
  answerName,
  closed,
  closingOf,
  isSettled,
  OPEN,
  refused,
  describeOutcome,
  type Answering,
  type Closing,
} from './answer.ts'

const question = aPrompt({ choices: { Continue: 'c', 'Roll back': 'r' }, default: 'c' })
const sending: Answering = { at: 'sending', response: 'c', closing: null }
const first = (user: string, response: string) => new ApiError('Too late', 409, { responded_by: user, response })

function words(answering: Answering, logged: Parameters<typeof describeOutcome>[2] = null): string | null {
  return answering.at === 'over' ? describeOutcome(answering.outcome, question, logged, 'alice').words : null
}

describe('an answer that is accepted', () => {
  test('waits for the job, and is delivered when the job goes on', () => {
    const sent = accepted(sending)
    expect(sent).toEqual({ at: 'sent', response: 'c' })
    expect(words(closed(sent, 'went-on'))).toBe('You answered “Continue”. Delivered.')
  })

  test('is delivered if the job went on before the response came', () => {
    expect(words(accepted(closed(sending, 'went-on')))).toBe('You answered “Continue”. Delivered.')
  })

  test('is not called delivered if the job was stopped or ended meanwhile', () => {
    const sent = accepted(sending)
    expect(words(closed(sent, 'stopping'))).toContain('Its log shows whether it received the answer')
    expect(words(closed(sent, 'ended'))).toBe('You answered “Continue”, and the job has ended.')
  })
})

describe('an answer that is refused', () => {
  test('learns who was first, and with what', () => {
    expect(words(refused(sending, first('bob', 'r'), 'alice'))).toBe(
      'bob answered “Roll back” first. Your answer does not count.',
    )
  })

  test('was its own first attempt if that is the same', () => {
    expect(refused(sending, first('alice', 'c'), 'alice')).toEqual({ at: 'sent', response: 'c' })
    expect(refused(sending, first('alice', 'r'), 'alice').at).toBe('over')
  })

  test('is over if the question is not open any more', () => {
    expect(words(refused(sending, new ApiError('No', 404), 'alice'))).toBe(
      'This question is no longer open. Your answer does not count.',
    )
  })

  test.each([
    [new ApiError('The disk is full', 503), 'The disk is full'],
    [new ApiError('Too late', 409), 'Too late'],
    [new Error('What?'), 'What?'],
  ])('for another reason may be tried again: %s', (error, problem) => {
    expect(refused(sending, error, 'alice')).toEqual({ at: 'open', problem, unsure: false })
  })

  test('without a word may have arrived, and may be sent again', () => {
    const unsure = refused(sending, new ApiError('Gone', 0), 'alice')
    expect(unsure).toMatchObject({ at: 'open', unsure: true })
    expect(words(closed(unsure, 'went-on'))).toContain('The log shows who answered it')
    expect(words(refused(closed(sending, 'went-on'), new ApiError('Gone', 0), 'alice'))).toContain(
      'The log shows who answered it',
    )
  })
})

describe('a question that closes without an answer from here', () => {
  test.each<[Closing, string]>([
    ['went-on', 'Somebody else answered the question.'],
    ['stopping', 'The question is closed because the job is being stopped.'],
    ['ended', 'The question is closed because the job has ended.'],
  ])('says why: %s', (closing, said) => {
    expect(words(closed(OPEN, closing))).toBe(said)
  })

  test('says who answered what as soon as the log is known', () => {
    expect(words(closed(OPEN, 'went-on'), { user: 'bob', response: 'r' })).toBe('bob answered “Roll back”.')
    expect(words(closed(OPEN, 'went-on'), { user: 'alice', response: '' })).toBe('You answered “Continue”. Delivered.')
  })

  test('closes because of what the job does now', () => {
    expect(closingOf(aJob({ state: 'running' }))).toBe('went-on')
    expect(closingOf(aJob({ state: 'waiting' }))).toBe('went-on')
    expect(closingOf(aJob({ state: 'stopping' }))).toBe('stopping')
    expect(closingOf(aJob({ state: 'lost' }))).toBe('ended')
  })
})

test('whatever happens in whatever order, what is over stays so', () => {
  type Step = (answering: Answering) => Answering
  const steps: Step[] = [
    accepted,
    (answering) => refused(answering, first('bob', 'r'), 'alice'),
    (answering) => refused(answering, new ApiError('Gone', 0), 'alice'),
    (answering) => closed(answering, 'went-on'),
    (answering) => closed(answering, 'ended'),
    (answering) => (answering.at === 'open' ? sending : answering),
  ]
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...steps)), (run) => {
      let answering = OPEN
      for (const step of run) {
        const next = step(answering)
        expect(answering.at === 'over' ? next : answering).toEqual(answering)
        answering = next
      }
    }),
  )
})

test('only what needs nobody leaves by itself', () => {
  expect(isSettled({ kind: 'delivered', response: 'c' })).toBe(true)
  expect(isSettled({ kind: 'answered-by-other', user: 'bob', response: 'c' })).toBe(false)
  expect(isSettled({ kind: 'unknown' })).toBe(false)
})

describe('the name of an answer', () => {
  test('is the label of its code', () => expect(answerName(question, 'r')).toBe('“Roll back”'))
  test('is that of the default for an empty one', () => expect(answerName(question, '')).toBe('“Continue”'))
  test('is the answer if there is no label', () => expect(answerName(question, 'x')).toBe('“x”'))
  test('of nothing says so', () =>
    expect(answerName(aPrompt({ type: 'input_line', choices: {}, default: null }), '')).toBe('with an empty line'))
})

test('the answer of a question is found in the log', () => {
  const marks: LogMark[] = [
    { recno: 3, type: 'response', user: 'alice', response: 'y', interaction: 1 },
    { recno: 9, type: 'response', user: 'bob', response: 'r', interaction: 2 },
  ]
  expect(answerIn(marks, aPrompt({ id: 7_000_002 }))).toEqual({ user: 'bob', response: 'r' })
  expect(answerIn(marks, aPrompt({ id: 7_000_003 }))).toBeNull()
})
