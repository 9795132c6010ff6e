import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'

import { NotSent, send, Unanswered, waiting } from './sending.ts'

/** A request of the browser. The test decides when it is sent and answered. */
class FakeRequest extends EventTarget {
  static readonly all: FakeRequest[] = []
  readonly upload = new EventTarget()
  readonly sent: unknown[] = []
  readonly headers: Record<string, string> = {}
  opened: string[] = []
  status = 0
  statusText = ''
  responseText = ''
  isAborted = false

  constructor() {
    super()
    FakeRequest.all.push(this)
  }

  open(...opened: string[]): void {
    this.opened = opened
  }

  setRequestHeader(name: string, value: string): void {
    this.headers[name] = value
  }

  send(body: unknown): void {
    this.sent.push(body)
  }

  abort(): void {
    this.isAborted = true
    this.#end('abort')
  }

  getAllResponseHeaders(): string {
    return 'content-type: application/json\r\nretry-after: 7\r\ndate: Tue, 24 Nov 2026 11:00:00 GMT\r\n'
  }

  leaves(): void {
    for (const type of ['progress', 'progress', 'load', 'loadend']) {
      this.upload.dispatchEvent(new Event(type))
    }
  }

  answers(status: number, body: string): void {
    this.status = status
    this.responseText = body
    this.#end('load')
  }

  breaks(): void {
    this.#end('error')
  }

  #end(type: string): void {
    this.dispatchEvent(new Event(type))
    this.dispatchEvent(new Event('loadend'))
  }
}

function begin(body?: string): { request: FakeRequest; sent: Promise<unknown> } {
  const sent = send('/api/x?y=1', { headers: { 'Idempotency-Key': 'key' }, body, patience: 15_000 }).catch(
    (error: unknown) => error,
  )
  const request = FakeRequest.all.at(-1)
  if (request === undefined) {
    throw new Error('nothing was sent')
  }
  return { request, sent }
}

const pass = (milliseconds: number) => vi.advanceTimersByTimeAsync(milliseconds)

beforeEach(() => {
  FakeRequest.all.length = 0
  vi.stubGlobal('XMLHttpRequest', FakeRequest)
  vi.useFakeTimers()
})

afterEach(() => {
  expect(waiting.value).toEqual([])
  expect(vi.getTimerCount()).toBe(0)
  vi.unstubAllGlobals()
  vi.useRealTimers()
})

test('what is sent is answered, with the head of the response', async () => {
  const { request, sent } = begin('{}')
  request.leaves()
  request.answers(429, '{"detail": "é"}')
  const response = (await sent) as Response
  expect(request).toMatchObject({ opened: ['POST', '/api/x?y=1'], headers: { 'Idempotency-Key': 'key' }, sent: ['{}'] })
  expect(response).toMatchObject({ status: 429, ok: false })
  expect(response.headers.get('Retry-After')).toBe('7')
  expect(await response.json()).toEqual({ detail: 'é' })
})

test('a response without a body is one', async () => {
  const { request, sent } = begin()
  request.answers(204, '')
  expect(await sent).toMatchObject({ status: 204, ok: true })
})

test('whoever has nothing to say sends something, so that the browser tells when it leaves', () => {
  const { request } = begin()
  expect(request.sent).toEqual([' '])
  request.abort()
})

describe('without a connection', () => {
  test('it is told after a second, kept for as long as that takes, and sent once', async () => {
    const { request, sent } = begin()
    await pass(999)
    expect(waiting.value).toHaveLength(0)
    await pass(1)
    expect(waiting.value).toHaveLength(1)
    await pass(3_600_000)
    expect(request.isAborted).toBe(false)
    request.leaves()
    expect(waiting.value).toHaveLength(0)
    request.answers(200, '{}')
    expect(await sent).toMatchObject({ ok: true })
    expect(FakeRequest.all).toHaveLength(1)
    expect(request.sent).toHaveLength(1)
  })

  test('it can be cancelled, and another one goes on waiting', async () => {
    const [one, other] = [begin(), begin()]
    await pass(1000)
    waiting.value[0]?.cancel()
    expect(await one.sent).toBeInstanceOf(NotSent)
    expect(one.request.isAborted).toBe(true)
    expect(waiting.value).toHaveLength(1)
    other.request.leaves()
    other.request.answers(200, '{}')
    expect(await other.sent).toMatchObject({ ok: true })
  })

  test('it may turn out that there will be none', async () => {
    const { request, sent } = begin()
    await pass(1000)
    request.breaks()
    expect(await sent).toBeInstanceOf(TypeError)
  })
})

describe('the patience', () => {
  test('begins when the request has left', async () => {
    const { request, sent } = begin()
    await pass(60_000)
    request.leaves()
    await pass(14_999)
    expect(request.isAborted).toBe(false)
    await pass(1)
    expect(await sent).toBeInstanceOf(Unanswered)
  })

  test('begins at once for an empty answer, which browsers tell nothing of', async () => {
    const { request, sent } = begin('')
    await pass(2000)
    expect(request.sent).toEqual([''])
    expect(waiting.value).toHaveLength(0)
    await pass(13_000)
    expect(await sent).toBeInstanceOf(Unanswered)
  })
})
