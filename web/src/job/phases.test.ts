import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { aJob } from '@/api/testing.ts'
import type { LogMark } from '@/api/types.ts'

import { durationOf, phasesOf, segmentsOf, total, type Phase } from './phases.ts'

const at = (seconds: number): string => new Date(seconds * 1000).toISOString()
const status = (seconds: number, said: string | null): LogMark => ({
  recno: seconds,
  time: at(seconds),
  type: 'status',
  status: said,
})
const ask = (seconds: number, id: number): LogMark => ({
  recno: seconds,
  time: at(seconds),
  type: 'interaction',
  id,
  kind: 'choices',
  prompt: '?',
})
const respond = (seconds: number, interaction: number): LogMark => ({
  recno: seconds,
  time: at(seconds),
  type: 'response',
  user: 'alice',
  response: 'y',
  interaction,
})
const exit = (seconds: number): LogMark => ({
  recno: seconds,
  time: at(seconds),
  type: 'exit',
  status: 0,
  signal: null,
})

const running = aJob({ started_at: 100 })
const ended = aJob({ started_at: 100, state: 'succeeded', finished_at: 200 })
const short = (phases: Phase[]) => phases.map(({ kind, name, from, to }) => [kind === 'status' ? name : kind, from, to])

describe('phases', () => {
  test('reach from the start to the end of the job', () => {
    expect(short(phasesOf([status(110, 'Build'), status(150, 'Sync'), exit(180)], ended, 999))).toEqual([
      ['silent', 100, 110],
      ['Build', 110, 150],
      ['Sync', 150, 180],
    ])
  })

  test('go on while the job runs', () => {
    expect(short(phasesOf([status(100, 'Build')], running, 130))).toEqual([['Build', 100, 130]])
  })

  test('end with the job if its log does not say how it ended', () => {
    expect(short(phasesOf([status(100, 'Build')], ended, 999))).toEqual([['Build', 100, 200]])
    const lost = aJob({ started_at: 100, state: 'lost', finished_at: null })
    expect(short(phasesOf([status(100, 'Build'), status(140, null)], lost, 999))).toEqual([['Build', 100, 140]])
  })

  test('are none if the job told no status', () => {
    expect(phasesOf([], running, 130)).toEqual([])
    expect(phasesOf([ask(110, 1), status(120, null)], running, 130)).toEqual([])
  })

  test('merge if they have the same name, and end at no status', () => {
    const marks = [status(100, 'Build'), status(110, 'Build'), status(120, null), status(130, 'Build')]
    expect(short(phasesOf(marks, running, 140))).toEqual([
      ['Build', 100, 120],
      ['silent', 120, 130],
      ['Build', 130, 140],
    ])
  })

  test('are interrupted by a wait for an answer', () => {
    expect(short(phasesOf([status(100, 'Build'), ask(110, 1), respond(150, 1)], running, 160))).toEqual([
      ['Build', 100, 110],
      ['answer', 110, 150],
      ['Build', 150, 160],
    ])
  })

  test('know a wait that goes on', () => {
    expect(short(phasesOf([status(100, 'Build'), ask(110, 1)], running, 160)).at(-1)).toEqual(['answer', 110, 160])
  })

  test('know that a signal ends a wait, and that an answer to another question does not', () => {
    const signal: LogMark = { recno: 130, time: at(130), type: 'signal', user: 'bob', signal: 'interrupt' }
    expect(short(phasesOf([status(100, 'Build'), ask(110, 2), respond(120, 1), signal], running, 140))).toEqual([
      ['Build', 100, 110],
      ['answer', 110, 130],
      ['Build', 130, 140],
    ])
  })

  test('lead to the record where they begin', () => {
    expect(phasesOf([status(110, 'Build')], running, 120).map(({ recno }) => recno)).toEqual([null, 110])
  })

  test('never overlap or go back, whatever the clocks say', () => {
    const mark = fc
      .tuple(fc.integer({ min: 0, max: 300 }), fc.constantFrom('a', 'b', null))
      .map(([time, said]) => status(time, said))
    fc.assert(
      fc.property(fc.array(mark), fc.integer({ min: 0, max: 300 }), (marks, now) => {
        const phases = phasesOf(marks, running, now)
        phases.forEach((phase, place) => {
          expect(phase.to).toBeGreaterThan(phase.from)
          expect(phase.from).toBe(place === 0 ? 100 : phases[place - 1]?.to)
        })
      }),
    )
  })

  test('are there without times in the log', () => {
    const marks: LogMark[] = [
      { recno: 1, type: 'status', status: 'Build' },
      { recno: 2, time: 'x', type: 'status', status: 'Sync' },
    ]
    expect(short(phasesOf(marks, running, 120))).toEqual([['Sync', 100, 120]])
  })
})

describe('segments', () => {
  const phase = (from: number, to: number, kind: Phase['kind'] = 'status'): Phase => ({
    kind,
    name: `${from}`,
    recno: 1,
    from,
    to,
  })

  test('are the phases as long as there are few', () => {
    expect(segmentsOf([phase(0, 1), phase(1, 100)], 10).map(({ count }) => count)).toEqual([1, 1])
  })

  test('put together what is too short to be seen', () => {
    const phases = Array.from({ length: 1000 }, (_, place) => phase(place, place + 1))
    phases.push(phase(1000, 2000))
    const segments = segmentsOf(phases, 50)
    expect(segments.length).toBeLessThanOrEqual(101)
    expect(segments.reduce((sum, { count }) => sum + count, 0)).toBe(1001)
    expect(segments.reduce((sum, segment) => sum + durationOf(segment), 0)).toBe(total(phases))
    expect(segments[0]?.name).toMatch(/^\d+ phases$/)
  })

  test('with a status alternate', () => {
    const segments = segmentsOf([phase(0, 1), phase(1, 2, 'answer'), phase(2, 3), phase(3, 4)], 10)
    expect(segments.filter(({ kind }) => kind === 'status').map(({ isOdd }) => isOdd)).toEqual([true, false, true])
  })
})
