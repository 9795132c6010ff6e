import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'

import { api, ApiError, isAbort, onAccessRefused, reasonOf } from './client.ts'
import { NotSent, Unanswered } from './sending.ts'

const fetched = vi.fn<(url: string, init: RequestInit) => Promise<Response>>()

// sending.test.ts covers how requests are sent and aborted.
vi.mock(import('./sending.ts'), async (original) => ({
  ...(await original()),
  send: (path, { headers, body }) => fetched(path, { method: 'POST', headers, body }),
}))

/** The next answer. */
function answer(status: number, body: string, { type = 'application/json', statusText = '' } = {}): void {
  fetched.mockImplementationOnce(() =>
    Promise.resolve(new Response(body, { status, statusText, headers: { 'Content-Type': type } })),
  )
}

/** An answer that never comes, until it is aborted. */
function swallow(): void {
  fetched.mockImplementationOnce(
    (_, { signal }) =>
      new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason as Error))),
  )
}

async function errorOf(promise: Promise<unknown>): Promise<ApiError> {
  const error: unknown = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  expect(error).toBeInstanceOf(ApiError)
  return error as ApiError
}

beforeEach(() => {
  vi.stubGlobal('fetch', fetched)
  vi.useFakeTimers()
})

afterEach(() => {
  fetched.mockReset()
  vi.unstubAllGlobals()
  vi.useRealTimers()
})

describe('a request', () => {
  test('has the parts of the query that say something', async () => {
    answer(200, '{"jobs": [], "total": 0, "complete": true}')
    await api.jobs({ outcome: [], state: ['queued', 'running'], user: '', type: 'a&b', q: 'é?' }, { limit: 10 })
    expect(fetched.mock.calls[0]?.[0]).toBe('/api/jobs?state=queued&state=running&type=a%26b&q=%C3%A9%3F&limit=10')
  })

  test('has no question mark without a query', async () => {
    answer(200, '{}')
    await api.whoami()
    expect(fetched.mock.calls[0]?.[0]).toBe('/api/whoami')
  })

  test('carries a record number of 0 and leaves out a switch that is off', async () => {
    answer(200, '{}')
    await api.records(7, { from: 0, count: 5, sensitive: false })
    expect(fetched.mock.calls[0]?.[0]).toBe('/api/jobs/7/log/records?from=0&count=5')
  })

  test('that starts a job is JSON with its key', async () => {
    answer(201, '{"id": 5}')
    expect(await api.start('noop', { a: [1] }, 'key')).toEqual({ id: 5 })
    const [, init] = fetched.mock.calls[0] ?? []
    expect(init).toMatchObject({
      method: 'POST',
      body: '{"type":"noop","params":{"a":[1]}}',
      headers: { 'Content-Type': 'application/json', 'Idempotency-Key': 'key' },
    })
  })

  test('that answers is the answer as it is, also an empty one', async () => {
    answer(200, '{}')
    await api.answer(1, 1_000_001, '')
    expect(fetched.mock.calls[0]?.[1]).toMatchObject({ body: '', headers: { 'Content-Type': 'text/plain' } })
  })
})

describe('a refusal', () => {
  test('says what the API says, and has its other members', async () => {
    answer(409, '{"detail": {"message": "This prompt was answered already", "responded_by": "bob", "response": "c"}}')
    const error = await errorOf(api.answer(1, 1_000_001, 'y'))
    expect(error).toMatchObject({
      message: 'This prompt was answered already',
      status: 409,
      fields: { responded_by: 'bob', response: 'c' },
    })
  })

  test('names the request if the API does', async () => {
    answer(500, '{"detail": {"message": "Broken", "request_id": "r-1"}}')
    expect((await errorOf(api.whoami())).message).toBe('Broken (request r-1)')
  })

  test('does not name a request of which all is said', async () => {
    answer(503, '{"detail": {"message": "There is no train.json", "request_id": "r-1"}}')
    expect((await errorOf(api.trainStatus())).message).toBe('There is no train.json')
  })

  test.each([
    ['90', 90],
    ['Wed, 21 Oct 2026 07:28:00 GMT', null],
    [null, null],
  ])('says when it may be tried again, if the API does: %s', async (header, retryAfter) => {
    const headers = header === null ? undefined : { 'Retry-After': header }
    const body = '{"detail": {"code": "rate_limited", "message": "Too many attempts"}}'
    fetched.mockResolvedValueOnce(new Response(body, { status: 429, headers }))
    expect(await errorOf(api.signIn('alice', 'wrong'))).toMatchObject({ code: 'rate_limited', retryAfter })
  })

  test('names each wrong argument', async () => {
    const wrong = [
      { type: 'missing', loc: ['body', 'params', 'speed'], msg: 'Speed is required', input: null },
      { type: 'value_error', loc: ['body', 'type'], msg: 'No such type', input: 'x' },
    ]
    answer(422, JSON.stringify({ detail: wrong }))
    const error = await errorOf(api.dryRun('x', {}))
    expect(error.message).toBe('Speed is required; No such type')
    expect(error.invalid).toEqual(wrong)
  })

  test.each([
    ['a plain detail', 404, '{"detail": "Not Found"}', 'The server answered 404 Not Found'],
    ['HTML of a proxy', 502, '<h1>Bad Gateway</h1>', 'The server answered 502 Bad Gateway'],
    ['nothing', 503, '', 'The server answered 503 Bad Gateway'],
    ['null', 500, 'null', 'The server answered 500 Bad Gateway'],
    ['a detail without a message', 500, '{"detail": {"code": 7}}', 'The server answered 500 Bad Gateway'],
    ['a list of something else', 422, '{"detail": [null, 7]}', 'The server answered 422 Bad Gateway'],
  ])('is understood as far as it goes: %s', async (_, status, body, message) => {
    answer(status, body, { statusText: 'Bad Gateway' })
    expect(await errorOf(api.whoami())).toMatchObject({ message, status })
  })
})

describe('a request without an answer', () => {
  test('says that there was none', async () => {
    fetched.mockRejectedValueOnce(new TypeError('Failed to fetch'))
    expect(await errorOf(api.whoami())).toMatchObject({ message: 'SpiderPig cannot be reached', status: 0 })
  })

  test('says that nobody knows, if it was to do something', async () => {
    fetched.mockRejectedValueOnce(new TypeError('Failed to fetch'))
    expect((await errorOf(api.signal(1, 'kill'))).message).toContain('it is unknown whether this was done')
  })

  test('says so too if it has left and was not answered in time', async () => {
    fetched.mockRejectedValueOnce(new Unanswered())
    const error = await errorOf(api.signal(1, 'kill'))
    expect(error).toMatchObject({ status: 0 })
    expect(error.message).toContain('did not answer in time: it is unknown whether this was done')
  })

  test('says that nothing was sent, if somebody gave it up before it left', async () => {
    fetched.mockRejectedValueOnce(new NotSent())
    const error: unknown = await api.signal(1, 'kill').catch((thrown: unknown) => thrown)
    expect(error).not.toBeInstanceOf(ApiError)
    expect(reasonOf(error)).toMatch(/^Not sent/)
  })

  test('is given up in the end', async () => {
    swallow()
    const error = errorOf(api.whoami())
    await vi.advanceTimersByTimeAsync(15_000)
    expect((await error).message).toBe('SpiderPig did not answer in time')
  })

  test('is given up in the middle of an answer, too', async () => {
    fetched.mockImplementationOnce((_, { signal }) =>
      Promise.resolve({
        ok: true,
        headers: new Headers(),
        json: () => new Promise((_, reject) => signal?.addEventListener('abort', () => reject(new Error('aborted')))),
      } as Response),
    )
    const error = errorOf(api.whoami())
    await vi.advanceTimersByTimeAsync(15_000)
    expect((await error).message).toBe('SpiderPig did not answer in time')
  })

  test('that somebody gave up is no failure to tell of', async () => {
    swallow()
    const abort = new AbortController()
    const asked = api.job(3, abort.signal).catch((error: unknown) => error)
    abort.abort()
    expect(isAbort(await asked)).toBe(true)
  })

  test('leaves no timer behind', async () => {
    answer(200, '{}')
    await api.whoami()
    expect(vi.getTimerCount()).toBe(0)
  })
})

test('whatever is thrown has a reason', () => {
  expect(reasonOf(new Error('why'))).toBe('why')
  expect(reasonOf('words')).toBe('words')
})

describe('who listens for it', () => {
  const heard = vi.fn<(refusal: ApiError) => void>()
  beforeEach(() => {
    heard.mockReset()
    onAccessRefused(heard)
  })
  afterEach(() => onAccessRefused(() => undefined))

  test.each([
    [401, 'needauth'],
    [401, 'need2fa'],
    [403, 'unauthorized'],
  ])('hears that somebody was not let in: %s %s', async (status, code) => {
    answer(status, JSON.stringify({ detail: { code, message: 'Sign in' } }))
    const error = await errorOf(api.job(1))
    expect(heard.mock.calls).toEqual([[error]])
  })

  test.each([
    [401, 'invalid'],
    [403, 'forbidden'],
    [429, 'rate_limited'],
    [500, 'needless'],
  ])('does not hear of other refusals: %s %s', async (status, code) => {
    answer(status, JSON.stringify({ detail: { code, message: 'No' } }))
    await errorOf(api.signIn('alice', 'wrong'))
    expect(heard).not.toHaveBeenCalled()
  })
})
