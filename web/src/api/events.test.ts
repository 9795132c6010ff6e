import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'

import { EventStream, type Connection, type ServerEvent } from './events.ts'

/** A connection, as the API sees it. */
class Connected {
  #controller!: ReadableStreamDefaultController<Uint8Array>
  readonly query: string
  readonly last: string | undefined
  readonly isCancelled = vi.fn()

  constructor(url: string, init: RequestInit) {
    this.query = new URL(url, 'http://localhost').search
    this.last = (init.headers as Record<string, string>)['Last-Event-ID']
    this.body = new ReadableStream({
      start: (controller) => {
        this.#controller = controller
        if (!isHeld) {
          // The first line of the API.
          controller.enqueue(new TextEncoder().encode('retry: 2000\n\n'))
        }
      },
      cancel: this.isCancelled,
    })
    init.signal?.addEventListener('abort', () => this.#controller.error(init.signal?.reason))
  }

  readonly body: ReadableStream<Uint8Array>

  async sendBytes(bytes: Uint8Array): Promise<void> {
    this.#controller.enqueue(bytes)
    await settle()
  }

  async send(text: string): Promise<void> {
    await this.sendBytes(new TextEncoder().encode(text))
  }

  async tell(id: string, type: string, data: unknown): Promise<void> {
    await this.send(`id: ${id}\nevent: ${type}\ndata: ${JSON.stringify(data)}\n\n`)
  }

  async end(): Promise<void> {
    this.#controller.close()
    await settle()
  }

  async cut(): Promise<void> {
    this.#controller.error(new TypeError('network error'))
    await settle()
  }
}

const settle = () => vi.advanceTimersByTimeAsync(0)
const removed = (id: number): ServerEvent => ({ type: 'removed', data: { id } })

let isUp: boolean
/** A proxy passes the headers of streams and buffers their bodies. */
let isHeld = false
/** The status with which connections are refused. */
let refusal: number | null
/** The number of a job that does not exist. */
let gone: number | null
let connections: Connected[]
let told: ServerEvent[]
let states: Connection[]
let heard: number
let stream: EventStream

const state = () => states.at(-1)?.state

function last(): Connected {
  const connection = connections.at(-1)
  if (connection === undefined) {
    throw new Error('nobody has connected')
  }
  return connection
}

beforeEach(async () => {
  vi.useFakeTimers()
  vi.spyOn(Math, 'random').mockReturnValue(1)
  isUp = true
  isHeld = false
  refusal = null
  gone = null
  connections = []
  told = []
  states = []
  heard = 0
  vi.stubGlobal('fetch', (url: string, init: RequestInit) => {
    if (!isUp) {
      return Promise.reject(new TypeError('Failed to fetch'))
    }
    const connection = new Connected(url, init)
    connections.push(connection)
    if (refusal !== null) {
      const detail = { code: 'needauth', message: 'Your session has ended' }
      return Promise.resolve(Response.json({ detail }, { status: refusal }))
    }
    return Promise.resolve(
      connection.query.includes(`log=${gone}`)
        ? Response.json({ detail: { message: 'No such job', job_id: gone } }, { status: 404 })
        : { ok: true, headers: new Headers(), body: connection.body },
    )
  })
  stream = new EventStream({
    event: (event) => told.push(event),
    connection: (connection) => states.push(connection),
    heard: () => (heard += 1),
  })
  stream.start()
  await settle()
})

afterEach(() => {
  stream.stop()
  vi.unstubAllGlobals()
  vi.useRealTimers()
})

describe('the stream of events', () => {
  test('tells what it is told, and each sign of life', async () => {
    await last().tell('a-1', 'removed', { id: 3 })
    await last().send(': nothing new\n\n')
    expect(told).toEqual([removed(3)])
    expect(heard).toBe(3)
    expect(states.map(({ state }) => state)).toEqual(['connecting', 'live'])
  })

  test('understands an event that comes in pieces, also within a character', async () => {
    const bytes = new TextEncoder().encode('event: job\ndata: {"user":"é"}\n\n')
    const middle = bytes.indexOf(0xc3) + 1
    await last().sendBytes(bytes.slice(0, middle))
    await last().sendBytes(bytes.slice(middle))
    expect(told).toEqual([{ type: 'job', data: { user: 'é' } }])
  })

  test('comes back at once, from where it was, after an end in order', async () => {
    await last().tell('a-7', 'removed', { id: 3 })
    await vi.advanceTimersByTimeAsync(1000)
    await last().end()
    expect(connections).toHaveLength(2)
    expect(last().last).toBe('a-7')
    expect(states.map(({ state }) => state)).toEqual(['connecting', 'live', 'connecting', 'live'])
  })

  test('waits longer after each failure, but never long', async () => {
    isUp = false
    await last().cut()
    const pauses: number[] = []
    for (let failure = 0; failure < 8; failure += 1) {
      const now = states.at(-1)
      if (now?.state !== 'broken' || now.retryAt === null) {
        throw new Error('it does not wait')
      }
      pauses.push(now.retryAt - Date.now())
      await vi.advanceTimersByTimeAsync(now.retryAt - Date.now())
    }
    expect(pauses).toEqual([500, 1000, 2000, 4000, 8000, 15_000, 15_000, 15_000])
    expect(states.at(-1)).toMatchObject({ state: 'broken', reason: 'SpiderPig cannot be reached' })
    isUp = true
    await vi.advanceTimersByTimeAsync(15_000)
    expect(state()).toBe('live')
  })

  test('begins with short pauses again after it was well', async () => {
    isUp = false
    await last().cut()
    await vi.advanceTimersByTimeAsync(500 + 1000)
    isUp = true
    await vi.advanceTimersByTimeAsync(2000)
    await last().send(': nothing new\n\n')
    await vi.advanceTimersByTimeAsync(20_000)
    await last().cut()
    expect(states.at(-1)).toMatchObject({ state: 'broken', retryAt: Date.now() + 500 })
  })

  test('that is ended as soon as it begins is not asked for without a pause', async () => {
    await last().end()
    expect(states.at(-1)).toMatchObject({ reason: 'SpiderPig closed the connection', retryAt: Date.now() + 500 })
    await vi.advanceTimersByTimeAsync(500)
    await last().end()
    expect(states.at(-1)).toMatchObject({ retryAt: Date.now() + 1000 })
  })

  test('is tried at once if somebody asks for that, or the network is back', async () => {
    isUp = false
    await last().cut()
    isUp = true
    stream.retryNow()
    await settle()
    expect(state()).toBe('live')
    isUp = false
    await last().cut()
    isUp = true
    window.dispatchEvent(new Event('online'))
    await settle()
    expect(state()).toBe('live')
  })

  test.each([
    ['nothing at all was heard', false],
    ['it was heard before', true],
  ])('is given up when it has fallen silent and %s', async (_, wasHeard) => {
    if (wasHeard) {
      await last().send(': nothing new\n\n')
    }
    await vi.advanceTimersByTimeAsync(30_000)
    expect(state()).toBe('live')
    await vi.advanceTimersByTimeAsync(5000)
    expect(states.find(({ state }) => state === 'broken')).toMatchObject({
      reason: 'SpiderPig stopped sending updates',
    })
    await vi.advanceTimersByTimeAsync(500)
    expect(connections).toHaveLength(2)
    expect(state()).toBe('live')
  })

  test('is found dead soon after a laptop wakes, whose timers slept', async () => {
    await last().send(': nothing new\n\n')
    vi.setSystemTime(Date.now() + 8 * 3_600_000)
    await vi.advanceTimersByTimeAsync(5000)
    expect(states.find(({ state }) => state === 'broken')).toMatchObject({
      reason: 'SpiderPig stopped sending updates',
    })
  })

  test('is renewed when somebody comes back to the page and it was quiet for long', async () => {
    await last().tell('a-7', 'removed', { id: 3 })
    await vi.advanceTimersByTimeAsync(10_000)
    document.dispatchEvent(new Event('visibilitychange'))
    await settle()
    expect(connections).toHaveLength(1)
    await vi.advanceTimersByTimeAsync(8000)
    document.dispatchEvent(new Event('visibilitychange'))
    await settle()
    expect(connections).toHaveLength(2)
    expect(last().last).toBe('a-7')
    expect(states.map(({ state }) => state)).toEqual(['connecting', 'live', 'connecting', 'live'])
  })

  test('asks for everything anew after an event that it does not understand', async () => {
    await last().tell('a-1', 'removed', { id: 3 })
    const poisoned = last()
    await poisoned.send('id: a-2\nevent: job\ndata: {"id":\n\nid: a-3\nevent: removed\ndata: {"id": 4}\n\n')
    expect(poisoned.isCancelled).toHaveBeenCalledOnce()
    expect(state()).toBe('broken')
    await vi.advanceTimersByTimeAsync(500)
    expect(connections).toHaveLength(2)
    expect(last().last).toBeUndefined()
    expect(told).toEqual([removed(3)])
  })

  test('asks for everything anew after an event that nobody could take', async () => {
    await last().tell('a-1', 'removed', { id: 3 })
    vi.spyOn(told, 'push').mockImplementationOnce(() => {
      throw new Error('a mistake of the page')
    })
    await last().tell('a-2', 'removed', { id: 4 })
    await vi.advanceTimersByTimeAsync(500)
    expect(last().last).toBeUndefined()
  })

  test('goes on from where it was when another log is followed', async () => {
    await last().tell('a-1', 'removed', { id: 3 })
    stream.follow([12])
    await settle()
    expect(last().query).toBe('?log=12')
    expect(last().last).toBe('a-1')
    stream.follow([12])
    await settle()
    expect(connections).toHaveLength(2)
    stream.follow([12, 14])
    await settle()
    expect(last().query).toBe('?log=12&log=14')
    // A log that is no longer followed needs no new connection.
    stream.follow([])
    await settle()
    expect(connections).toHaveLength(3)
    expect(states.every(({ state }) => state !== 'broken')).toBe(true)
  })

  test('forgets a log that is not there any more, and goes on without it', async () => {
    await last().tell('a-1', 'removed', { id: 3 })
    stream.follow([12])
    await settle()
    gone = 12
    await last().cut()
    await vi.advanceTimersByTimeAsync(500)
    expect(connections.map(({ query }) => query)).toEqual(['', '?log=12', '?log=12', ''])
    expect(last().last).toBe('a-1')
    expect(state()).toBe('live')
  })

  test('does not forget the log that is followed instead of one that is not there', async () => {
    gone = 12
    stream.follow([12])
    stream.follow([13])
    await settle()
    expect(last().query).toBe('?log=13')
    expect(state()).toBe('live')
  })

  test('is silent after it was stopped', async () => {
    stream.stop()
    await vi.advanceTimersByTimeAsync(60_000)
    window.dispatchEvent(new Event('online'))
    document.dispatchEvent(new Event('visibilitychange'))
    await settle()
    expect(connections).toHaveLength(1)
    expect(vi.getTimerCount()).toBe(0)
  })

  test('that is stopped in a pause does not try again', async () => {
    isUp = false
    await last().cut()
    isUp = true
    stream.stop()
    await vi.advanceTimersByTimeAsync(60_000)
    expect(connections).toHaveLength(1)
  })
})

describe('who is not let in any more', () => {
  beforeEach(async () => {
    await last().tell('a-7', 'removed', { id: 3 })
  })

  test.each([401, 403])('is told why, and nothing is tried again: %s', async (status) => {
    refusal = status
    await vi.advanceTimersByTimeAsync(60_000)
    await last().end()
    expect(states.at(-1)).toEqual({ state: 'refused', reason: 'Your session has ended' })
    const { length } = connections
    await vi.advanceTimersByTimeAsync(3_600_000)
    expect(connections).toHaveLength(length)
  })

  test('goes on from where it was when there is a reason to', async () => {
    refusal = 401
    await vi.advanceTimersByTimeAsync(60_000)
    await last().end()
    refusal = null
    stream.retryNow()
    await settle()
    expect(state()).toBe('live')
    expect(last().last).toBe('a-7')
  })

  test('begins anew after it was stopped, with one connection', async () => {
    stream.stop()
    const { length } = connections
    stream.start()
    await settle()
    expect(connections).toHaveLength(length + 1)
    expect(last().last).toBeUndefined()
    await vi.advanceTimersByTimeAsync(1000)
    expect(connections).toHaveLength(length + 1)
  })
})

describe('a stream whose head comes and nothing else', () => {
  const JOBS = { jobs: [], total: 0, complete: true }
  let asked: string[]

  beforeEach(() => {
    asked = []
    stream.stop()
    connections = []
    states = []
    isHeld = true
    const fetched = globalThis.fetch
    vi.stubGlobal('fetch', (url: string, init: RequestInit) => {
      if (url.startsWith('/api/events')) {
        return fetched(url, init)
      }
      asked.push(url)
      const answer = url.startsWith('/api/jobs?') ? JOBS : { time: null, total: 0, up: true }
      return isUp ? Promise.resolve(Response.json(answer)) : Promise.reject(new TypeError('Failed to fetch'))
    })
    stream.start()
  })

  test('is not live, and what it does not tell is asked for', async () => {
    await vi.advanceTimersByTimeAsync(9999)
    expect(states.map(({ state }) => state)).toEqual(['connecting'])
    await vi.advanceTimersByTimeAsync(1)
    expect(states.at(-1)).toMatchObject({ state: 'polled' })
    expect(told.at(-1)).toMatchObject({ type: 'snapshot', data: { isPolled: true, jobs: [] } })
  })

  test('is asked for less often while nothing changes, and by nobody while nobody looks', async () => {
    await vi.advanceTimersByTimeAsync(120_000)
    const { length } = asked
    expect(length / 5).toBeGreaterThan(5)
    expect(length / 5).toBeLessThan(16)
    const visibility = vi.spyOn(document, 'visibilityState', 'get').mockReturnValue('hidden')
    await vi.advanceTimersByTimeAsync(60_000)
    const { length: then } = asked
    await vi.advanceTimersByTimeAsync(600_000)
    expect(asked.length).toBe(then)
    stream.viewed()
    await vi.advanceTimersByTimeAsync(0)
    expect(asked.length).toBeGreaterThan(then)
    visibility.mockRestore()
  })

  test('is told to be broken when nothing can be asked either', async () => {
    await vi.advanceTimersByTimeAsync(10_000)
    isUp = false
    await vi.advanceTimersByTimeAsync(10_000)
    expect(states.at(-1)).toMatchObject({ state: 'broken', reason: 'SpiderPig cannot be reached' })
  })

  test('is live as soon as something comes, and nothing is asked then', async () => {
    await vi.advanceTimersByTimeAsync(10_000)
    isHeld = false
    await vi.advanceTimersByTimeAsync(60_000)
    expect(state()).toBe('live')
    const { length } = asked
    await last().send(': nothing new\n\n')
    await vi.advanceTimersByTimeAsync(20_000)
    expect(asked.length).toBe(length)
  })
})
