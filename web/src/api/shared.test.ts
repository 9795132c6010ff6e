import { afterEach, beforeEach, expect, test, vi } from 'vitest'

import { api, onAccessRefused } from './client.ts'
import type { Connection, ServerEvent } from './events.ts'
import { SharedEvents } from './shared.ts'

/** The shared lock: the first tab holds it until it releases it or another tab steals it. */
class Locks {
  #queue: (() => void)[] = []
  #holder: { lose: (error: Error) => void } | null = null

  readonly request = (
    _: string,
    { signal, steal = false }: { signal?: AbortSignal; steal?: boolean },
    hold: () => Promise<void> | undefined,
  ): Promise<void> =>
    new Promise((resolve, reject) => {
      const take = (): void => {
        const holder = { lose: reject }
        this.#holder = holder
        void Promise.resolve(hold()).then(() => {
          if (this.#holder === holder) {
            this.#holder = null
            this.#queue.shift()?.()
          }
          resolve()
        })
      }
      if (steal) {
        this.#holder?.lose(new DOMException('Stolen', 'AbortError'))
        take()
        return
      }
      signal?.addEventListener('abort', () => {
        this.#queue = this.#queue.filter((one) => one !== take)
        reject(signal.reason as Error)
      })
      this.#queue.push(take)
      if (this.#holder === null) {
        this.#queue.shift()?.()
      }
    })
}

let channels: Set<Channel>

class Channel {
  onmessage: ((message: { data: unknown }) => void) | null = null
  isDeaf = false
  constructor() {
    channels.add(this)
  }
  postMessage(data: unknown): void {
    const copy = structuredClone(data)
    for (const other of channels) {
      if (other !== this && !this.isDeaf) {
        queueMicrotask(() => channels.has(other) && !other.isDeaf && other.onmessage?.({ data: copy }))
      }
    }
  }
  close(): void {
    channels.delete(this)
  }
}

interface Connected {
  logs: readonly number[]
  last: string | null
  signal: AbortSignal
  send: (text: string) => Promise<void>
}

let connections: Connected[]
let refusal: Error | null

/** The streams that are open at the API. */
const open = () => connections.filter(({ signal }) => !signal.aborted)

async function tell(id: string, type: string, data: unknown): Promise<void> {
  await open()
    .at(-1)
    ?.send(`id: ${id}\nevent: ${type}\ndata: ${JSON.stringify(data)}\n\n`)
}

class Tab {
  told: ServerEvent[] = []
  connection: Connection | null = null
  heard = 0
  known: ServerEvent[] = []
  readonly channel: Channel
  readonly events = new SharedEvents(
    {
      event: (event) => this.told.push(event),
      connection: (connection) => (this.connection = connection),
      heard: () => (this.heard += 1),
    },
    () => this.known,
  )
  constructor() {
    this.events.start()
    this.channel = [...channels].at(-1) as Channel
    tabs.push(this)
  }
}

let tabs: Tab[]

const settle = (milliseconds = 0) => vi.advanceTimersByTimeAsync(milliseconds)
const removed = (id: number): ServerEvent => ({ type: 'removed', data: { id } })

async function aTab(): Promise<Tab> {
  const tab = new Tab()
  await settle(200)
  return tab
}

beforeEach(() => {
  vi.useFakeTimers()
  connections = []
  channels = new Set()
  tabs = []
  refusal = null
  vi.stubGlobal('BroadcastChannel', Channel)
  Object.defineProperty(navigator, 'locks', { value: new Locks(), configurable: true })
  vi.spyOn(api, 'events').mockImplementation((logs, last, signal) => {
    if (refusal !== null) {
      return Promise.reject(refusal)
    }
    let controller: ReadableStreamDefaultController<Uint8Array>
    const body = new ReadableStream<Uint8Array>({
      start: (its) => {
        controller = its
        controller.enqueue(new TextEncoder().encode('retry: 2000\n\n'))
      },
    })
    signal.addEventListener('abort', () => controller.error(signal.reason))
    const send = async (text: string) => {
      controller.enqueue(new TextEncoder().encode(text))
      await settle()
    }
    connections.push({ logs, last, signal, send })
    return Promise.resolve(body)
  })
})

afterEach(() => {
  tabs.forEach(({ events }) => events.stop())
  Reflect.deleteProperty(navigator, 'locks')
  vi.unstubAllGlobals()
  vi.useRealTimers()
})

test('twenty tabs have one stream, and all are told what it tells', async () => {
  for (let count = 0; count < 20; count += 1) {
    await aTab()
  }
  expect(connections).toHaveLength(1)
  expect(tabs.map(({ connection }) => connection?.state)).toEqual(tabs.map(() => 'live'))
  await tell('a-1', 'removed', { id: 3 })
  expect(tabs.map(({ told }) => told)).toEqual(tabs.map(() => [removed(3)]))
})

test('a tab that comes later is told all that another knows', async () => {
  const one = await aTab()
  one.known = [removed(1)]
  await tell('a-1', 'removed', { id: 3 })
  const two = await aTab()
  expect(two.told).toEqual([removed(1)])
  expect(one.told).toEqual([removed(3)])
})

test('when the tab that listens goes away the next one goes on where it was, and nothing is lost or told twice', async () => {
  const [one, two, three] = [await aTab(), await aTab(), await aTab()]
  await tell('a-1', 'removed', { id: 1 })
  one.events.stop()
  await settle(1000)
  expect(open()).toHaveLength(1)
  expect(connections.at(-1)?.last).toBe('a-1')
  await tell('a-2', 'removed', { id: 2 })
  for (const { told, connection } of [two, three]) {
    expect([told, connection?.state]).toEqual([[removed(1), removed(2)], 'live'])
  }
})

test('each tab is told of the log that it shows, and of no other', async () => {
  const [one, two] = [await aTab(), await aTab()]
  one.events.follow(7)
  two.events.follow(8)
  await settle(200)
  expect(open().map(({ logs }) => logs)).toEqual([[7, 8]])
  const log = (id: number, records: number): ServerEvent => ({ type: 'log', data: { id, records, complete: false } })
  for (const id of [7, 8]) {
    await open()[0]?.send(`event: log\ndata: ${JSON.stringify(log(id, 5).data)}\n\n`)
  }
  expect([one.told, two.told]).toEqual([[log(7, 5)], [log(8, 5)]])
  // A tab that opens a followed log learns its length at once, without another stream.
  const count = connections.length
  const three = await aTab()
  three.events.follow(8)
  await settle(200)
  expect([three.told, connections.length]).toEqual([[log(8, 5)], count])
})

test('a tab that is frozen lets another one listen, and comes back', async () => {
  const [one, two] = [await aTab(), await aTab()]
  await tell('a-1', 'removed', { id: 1 })
  two.known = [removed(9)]
  for (const tab of [one]) {
    // Both tabs of this test share one document: the event is for the first one.
    two.events.stop()
    document.dispatchEvent(new Event('freeze'))
    expect(open()).toHaveLength(0)
    two.events.start()
    await settle(500)
    expect(open()).toHaveLength(1)
    document.dispatchEvent(new Event('resume'))
    await settle(500)
    expect([open().length, tab.connection?.state]).toEqual([1, 'live'])
  }
  await tell('a-2', 'removed', { id: 2 })
  expect(one.told.at(-1)).toEqual(removed(2))
})

test('who hears nothing of the tab that listens for too long listens instead, and only one of them', async () => {
  const [one, two, three] = [await aTab(), await aTab(), await aTab()]
  await tell('a-1', 'removed', { id: 1 })
  one.channel.isDeaf = true
  const all = async (text: string) => {
    for (const { send } of open()) {
      await send(text)
    }
  }
  for (let second = 0; second < 120; second += 1) {
    await all(': nothing new\n\n')
    await settle(1000)
  }
  await all('id: a-2\nevent: removed\ndata: {"id":2}\n\n')
  for (const { told } of [one, two, three]) {
    expect(told).toEqual([removed(1), removed(2)])
  }
  // The tab that lost the lock hears nothing from the others, and opens its own stream.
  expect(open()).toHaveLength(2)
})

test('who comes while the tab that listens hangs does not wait for long', async () => {
  const one = await aTab()
  one.channel.isDeaf = true
  const two = await aTab()
  expect(two.connection?.state).toBe('connecting')
  await settle(7000)
  expect(two.connection?.state).toBe('live')
})

test('all learn that they are not let in any more, and go on when they are', async () => {
  const noticed = vi.fn()
  onAccessRefused(noticed)
  const [one, two] = [await aTab(), await aTab()]
  const { ApiError } = await import('./client.ts')
  refusal = new ApiError('Your session has ended', 401, { code: 'needauth' })
  one.events.follow(3)
  await settle(1000)
  expect([one, two].map(({ connection }) => connection?.state)).toEqual(['refused', 'refused'])
  expect(noticed).toHaveBeenCalled()
  refusal = null
  two.events.retryNow()
  await settle(1000)
  one.events.retryNow()
  await settle(1000)
  expect([one, two].map(({ connection }) => connection?.state)).toEqual(['live', 'live'])
  expect(open()).toHaveLength(1)
  onAccessRefused(() => undefined)
})

test('where there are no locks a tab has its own stream, which it gives up while nobody sees it', async () => {
  Reflect.deleteProperty(navigator, 'locks')
  await aTab()
  await aTab()
  expect(open()).toHaveLength(2)
  await tell('a-1', 'removed', { id: 1 })
  const visibility = vi.spyOn(document, 'visibilityState', 'get').mockReturnValue('hidden')
  document.dispatchEvent(new Event('visibilitychange'))
  await settle(29_000)
  expect(open()).toHaveLength(2)
  await settle(1000)
  expect(open()).toHaveLength(0)
  visibility.mockReturnValue('visible')
  document.dispatchEvent(new Event('visibilitychange'))
  await settle()
  expect(open()).toHaveLength(2)
  expect(connections.slice(-2).map(({ last }) => last)).toContain('a-1')
})
