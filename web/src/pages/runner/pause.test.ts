import { describe, expect, test } from 'vitest'

import { reasonProblem } from './pause.ts'

describe('a reason', () => {
  test.each(['x', 'Datacenter switchover, until noon é', 'x'.repeat(500), 'é'.repeat(250)])('can be %j', (reason) => {
    expect(reasonProblem(reason)).toBeNull()
  })

  test.each([
    ['', /Enter a reason/],
    [' \u00a0 ', /Enter a reason/],
    ['a\nb', /one line/],
    ['a\tb', /one line/],
    ['x'.repeat(501), /1 too long/],
    ['é'.repeat(251), /2 too long/],
  ])('cannot be %j', (reason, problem) => {
    expect(reasonProblem(reason)).toMatch(problem)
  })
})
