import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'

import { jsonLines } from './lines.ts'

/** A body in these pieces. */
function body(pieces: Uint8Array[], cancel = vi.fn()): ReadableStream<Uint8Array> {
  return new ReadableStream({
    pull(controller) {
      const piece = pieces.shift()
      if (piece === undefined) {
        controller.close()
      } else {
        controller.enqueue(piece)
      }
    },
    cancel,
  })
}

const bytes = (text: string) => new TextEncoder().encode(text)

/** Cuts bytes at these places. */
function cut(whole: Uint8Array, places: number[]): Uint8Array[] {
  const ends = [...places.map((place) => place % (whole.length + 1)), whole.length].sort((a, b) => a - b)
  return ends.map((end, index) => whole.slice(ends[index - 1] ?? 0, end))
}

async function all(lines: AsyncIterable<unknown>): Promise<unknown[]> {
  const read: unknown[] = []
  for await (const line of lines) {
    read.push(line)
  }
  return read
}

describe('lines of JSON', () => {
  test('are the same wherever their bytes are cut, also within a character', async () => {
    const values = fc.array(fc.jsonValue({ stringUnit: 'grapheme' }))
    await fc.assert(
      fc.asyncProperty(values, fc.array(fc.nat()), async (lines, places) => {
        const text = lines.map((line) => `${JSON.stringify(line)}\n`).join('')
        const read = await all(jsonLines(body(cut(bytes(text), places))))
        expect(read).toEqual(JSON.parse(JSON.stringify(lines)))
      }),
    )
  })

  test('end before one that was cut off', async () => {
    expect(await all(jsonLines(body([bytes('{"a":1}\n{"b":2}')])))).toEqual([{ a: 1 }])
  })

  test('come as soon as they are there', async () => {
    const lines = jsonLines(body([bytes('1\n2'), bytes('3\n')]))
    expect(await lines.next()).toEqual({ done: false, value: 1 })
    expect(await lines.next()).toEqual({ done: false, value: 23 })
    expect((await lines.next()).done).toBe(true)
  })

  test('stop what sends them when nobody wants more', async () => {
    const cancelled = vi.fn()
    for await (const line of jsonLines(body([bytes('1\n'), bytes('2\n')], cancelled))) {
      expect(line).toBe(1)
      break
    }
    expect(cancelled).toHaveBeenCalledOnce()
  })

  test('that are no JSON are an error, and stop what sends them', async () => {
    const cancelled = vi.fn()
    await expect(all(jsonLines(body([bytes('<p>\n'), bytes('1\n')], cancelled)))).rejects.toThrow(SyntaxError)
    expect(cancelled).toHaveBeenCalledOnce()
  })

  test('fail as their body does', async () => {
    const broken = new ReadableStream<Uint8Array>({ start: (controller) => controller.error(new Error('cut')) })
    await expect(all(jsonLines(broken))).rejects.toThrow('cut')
  })
})
