import { accessRefusedElsewhere } from './client.ts'
import {
  EventStream,
  CHECK_INTERVAL,
  SILENCE_TIMEOUT,
  type Connection,
  type Listener,
  type ServerEvent,
} from './events.ts'

/** The name of the channel between tabs, and of the leader's lock. A new message format needs a new name. */
const NAME = 'spiderpig-events-2'

/** The leading tab answers a new tab within this time, in milliseconds, if it works. */
const WELCOME_TIMEOUT = 5000

/** A new leader waits this long, in milliseconds, for the other tabs to say which logs they show. */
const GATHER_DELAY = 100

/** A hidden tab closes its own stream after this time, in milliseconds, where tabs cannot share one. */
const HIDDEN_TIMEOUT = 30_000

/** A random part of the patience, in milliseconds, so that two tabs do not take over at the same time. */
const JITTER = 5000

type Payload =
  | { kind: 'lead' | 'heard' }
  | { kind: 'event'; event: ServerEvent; id: string | null }
  | { kind: 'connection'; connection: Connection }
  /** To a new tab: the connection, and the state if the tab does not have it. */
  | { kind: 'welcome'; to: string; connection: Connection; events: ServerEvent[]; last: string | null }
  | { kind: 'hello'; last: string | null; log: number | null }
  | { kind: 'follow'; log: number | null }
  | { kind: 'bye' | 'retry' | 'look' }

type Message = Payload & { from: string }

/** The state as events; empty before the first snapshot. */
export type Snapshot = () => ServerEvent[]

/**
 * The events for a tab, from one stream for all tabs of a browser: over HTTP/1.1 a browser has six connections to a
 * host, and each stream would use one.
 *
 * The tab with the lock leads: it has the stream, and passes the events on. When it closes or freezes, the next tab
 * gets the lock, and resumes after its own last event. A tab that hears nothing for longer than a stream is ever silent
 * steals the lock. Without locks, as on insecure addresses, each visible tab has its own stream.
 */
export class SharedEvents {
  readonly #listener: Listener
  readonly #snapshot: Snapshot
  readonly #id = crypto.getRandomValues(new Uint32Array(2)).join('-')
  readonly #stream: EventStream
  #log: number | null = null
  /** The identifier of this tab's last event. */
  #last: string | null = null
  #connection: Connection = { state: 'connecting' }
  #isStarted = false
  /** Whether the API refused the user. Then there is no stream until a retry. */
  #isRefused = false
  #isLeading = false
  #isWelcome = false
  /** Whether another tab has stolen the lock, and this one has heard nothing since. */
  #isLockStolen = false
  #channel: BroadcastChannel | null = null
  /** Stops waiting for the lock, and releases it. */
  #leave: () => void = () => undefined
  #timers: ReturnType<typeof setTimeout>[] = []
  #gathering: ReturnType<typeof setTimeout> | undefined
  #hiding: ReturnType<typeof setTimeout> | undefined
  #heardAt = 0
  #lookedAt = 0
  #patience = SILENCE_TIMEOUT
  /** The logs that the other tabs show. */
  readonly #others = new Map<string, number>()
  /** The last known length of each followed log. */
  readonly #lengths = new Map<number, ServerEvent>()

  /** `snapshot` returns the state of this tab, for new tabs. */
  constructor(listener: Listener, snapshot: Snapshot) {
    this.#listener = listener
    this.#snapshot = snapshot
    this.#stream = new EventStream({
      event: (event, id) => {
        this.#post({ kind: 'event', event, id })
        if (event.type === 'log') {
          this.#lengths.set(event.data.id, event)
        }
        this.#deliver(event, id)
      },
      connection: (connection) => {
        this.#post({ kind: 'connection', connection })
        this.#setConnection(connection)
        if (connection.state === 'refused') {
          this.#suspend()
        }
      },
      heard: () => {
        this.#post({ kind: 'heard' })
        this.#listener.heard()
      },
    })
  }

  start(): void {
    this.#isStarted = true
    window.addEventListener('pagehide', this.#freeze)
    window.addEventListener('pageshow', this.#thaw)
    document.addEventListener('freeze', this.#freeze)
    document.addEventListener('resume', this.#thaw)
    document.addEventListener('visibilitychange', this.#onVisible)
    this.#join()
  }

  /** Stops it, and forgets its position. */
  stop(): void {
    this.#isStarted = false
    this.#isRefused = false
    window.removeEventListener('pagehide', this.#freeze)
    window.removeEventListener('pageshow', this.#thaw)
    document.removeEventListener('freeze', this.#freeze)
    document.removeEventListener('resume', this.#thaw)
    document.removeEventListener('visibilitychange', this.#onVisible)
    this.#disconnect()
    this.#last = null
  }

  /** Follows the length of a job's log; none with null. */
  follow(log: number | null): void {
    if (log !== this.#log) {
      this.#log = log
      this.#post({ kind: 'follow', log })
      this.#gather()
      if (this.#isLeading && log !== null) {
        this.#sendLength(log)
      }
    }
  }

  /** Retries now. */
  readonly retryNow = (): void => {
    if (this.#isRefused) {
      this.#isRefused = false
      this.#join()
    } else if (this.#isLeading) {
      this.#stream.retryNow()
    } else {
      this.#post({ kind: 'retry' })
    }
  }

  #join(): void {
    if (!locks() || !('BroadcastChannel' in window)) {
      this.#lead()
      return
    }
    const channel = new BroadcastChannel(NAME)
    channel.onmessage = ({ data }: MessageEvent<Message>) => this.#receive(data)
    this.#channel = channel
    this.#isWelcome = false
    this.#heardAt = this.#lookedAt = Date.now()
    this.#patience = WELCOME_TIMEOUT
    this.#setConnection({ state: 'connecting' })
    this.#greet()
    this.#timers.push(setInterval(() => this.#checkLeader(), CHECK_INTERVAL / 5))
    this.#requestLock({})
  }

  /** Waits for the lock, or steals it, and holds it until this tab leaves or another one steals it. */
  #requestLock(how: { steal?: boolean }): void {
    this.#leave()
    const waiting = new AbortController()
    let isOver = false
    let release: () => void = () => undefined
    this.#leave = () => {
      isOver = true
      waiting.abort()
      release()
    }
    const hold = (): Promise<void> | undefined => {
      if (isOver) {
        return undefined
      }
      this.#lead()
      return new Promise((resolve) => (release = resolve))
    }
    const options = how.steal ? how : { signal: waiting.signal }
    locks()
      ?.request(NAME, options, hold)
      .catch(() => {
        // This tab stopped waiting, or another one stole the lock.
        if (!isOver && this.#channel !== null) {
          this.#isLockStolen = true
          this.#follow()
          this.#greet()
          this.#requestLock({})
        }
      })
  }

  #lead(): void {
    this.#isLeading = true
    this.#others.clear()
    this.#lengths.clear()
    this.#post({ kind: 'lead' })
    this.#stream.follow(this.#log === null ? [] : [this.#log])
    this.#gathering = setTimeout(
      () => {
        this.#gathering = undefined
        this.#stream.follow(this.#logs())
        this.#stream.start(this.#last)
      },
      // A tab that takes over waits for the other tabs.
      this.#last === null || this.#channel === null ? 0 : GATHER_DELAY,
    )
  }

  /** Another tab leads. */
  #follow(): void {
    if (this.#isLeading) {
      this.#isLeading = false
      clearTimeout(this.#gathering)
      this.#gathering = undefined
      this.#stream.stop()
    }
    this.#isWelcome = false
    this.#heardAt = Date.now()
    this.#patience = WELCOME_TIMEOUT
  }

  /** Leaves the other tabs. */
  #disconnect(): void {
    this.#follow()
    this.#timers.forEach(clearInterval)
    this.#timers = []
    clearTimeout(this.#hiding)
    this.#post({ kind: 'bye' })
    this.#leave()
    this.#leave = () => undefined
    this.#channel?.close()
    this.#channel = null
  }

  /** Closes everything until a retry. */
  #suspend(): void {
    this.#isRefused = true
    this.#disconnect()
  }

  #post(payload: Payload): void {
    this.#channel?.postMessage({ ...payload, from: this.#id })
  }

  #greet(): void {
    this.#post({ kind: 'hello', last: this.#last, log: this.#log })
  }

  #receive(message: Message): void {
    if (this.#isLeading) {
      this.#serve(message)
      return
    }
    switch (message.kind) {
      case 'lead':
        this.#follow()
        this.#greet()
        break
      case 'welcome':
        this.#resetPatience()
        if (message.to === this.#id && !this.#isWelcome) {
          this.#isWelcome = true
          message.events.forEach((event) => this.#deliver(event, message.last))
          this.#setConnection(message.connection)
          this.#listener.heard()
        }
        break
      case 'event':
        this.#resetPatience()
        if (this.#isWelcome) {
          this.#deliver(message.event, message.id)
        }
        break
      case 'connection':
        this.#resetPatience()
        if (message.connection.state === 'refused') {
          this.#setConnection(message.connection)
          this.#suspend()
          accessRefusedElsewhere(message.connection.reason)
        } else if (this.#isWelcome) {
          this.#setConnection(message.connection)
          if (message.connection.state === 'polled' && document.visibilityState === 'visible') {
            this.#post({ kind: 'look' })
          }
        }
        break
      case 'heard':
        this.#resetPatience()
        if (this.#isWelcome) {
          this.#listener.heard()
        }
        break
    }
  }

  /** Handles a message of another tab, as the leader. */
  #serve(message: Message): void {
    const { from } = message
    switch (message.kind) {
      case 'hello': {
        const isKnown = message.last !== null && message.last === this.#last
        const events = isKnown ? [] : this.#snapshot()
        this.#post({ kind: 'welcome', to: from, connection: this.#connection, events, last: this.#last })
        this.#setLog(from, message.log)
        break
      }
      case 'follow':
        this.#setLog(from, message.log)
        break
      case 'bye':
        this.#others.delete(from)
        break
      case 'retry':
        this.#stream.retryNow()
        break
      case 'look':
        this.#stream.viewed()
        break
    }
  }

  #setLog(from: string, log: number | null): void {
    this.#others.delete(from)
    if (log !== null) {
      this.#others.set(from, log)
      this.#sendLength(log)
    }
    this.#gather()
  }

  /** Sends the known length of a log at once. */
  #sendLength(log: number): void {
    const length = this.#lengths.get(log)
    if (length !== undefined) {
      this.#post({ kind: 'event', event: length, id: null })
      this.#deliver(length, null)
    }
  }

  /** Follows the logs of all tabs, shortly after, as several may arrive together. */
  #gather(): void {
    if (this.#isLeading) {
      this.#gathering ??= setTimeout(() => {
        this.#gathering = undefined
        this.#stream.follow(this.#logs())
      }, GATHER_DELAY)
    }
  }

  #logs(): number[] {
    const logs = new Set([...(this.#log === null ? [] : [this.#log]), ...this.#others.values()])
    return [...logs].slice(0, MOST_LOGS)
  }

  #deliver(event: ServerEvent, id: string | null): void {
    if (event.type === 'log') {
      if (event.data.id === this.#log) {
        this.#listener.event(event, null)
      }
      return
    }
    const last = this.#last
    // If this event cannot be read, the next stream starts with a snapshot.
    this.#last = null
    this.#listener.event(event, id)
    this.#last = id ?? (event.type === 'snapshot' ? null : last)
  }

  #setConnection(connection: Connection): void {
    this.#connection = connection
    this.#listener.connection(connection)
  }

  #resetPatience(): void {
    this.#isLockStolen = false
    this.#heardAt = Date.now()
    this.#patience = SILENCE_TIMEOUT + CHECK_INTERVAL + Math.random() * JITTER
  }

  /** Takes over from a leader that is silent for too long. */
  #checkLeader(): void {
    const now = Date.now()
    if (now - this.#lookedAt > 3 * CHECK_INTERVAL) {
      // This tab slept, and so may have the others.
      this.#heardAt = Math.max(this.#heardAt, now - this.#patience + CHECK_INTERVAL)
    }
    this.#lookedAt = now
    if (!this.#isLeading && now - this.#heardAt > this.#patience) {
      if (this.#isLockStolen) {
        // The tabs do not hear each other, so this one opens its own stream.
        this.#disconnect()
        this.#lead()
      } else {
        this.#follow()
        this.#requestLock({ steal: true })
      }
    }
  }

  /** A frozen tab hears nothing, so it leaves the others. */
  readonly #freeze = (): void => this.#disconnect()

  readonly #thaw = (event: Event): void => {
    const isBack = !('persisted' in event) || event.persisted === true
    if (isBack && this.#isStarted && !this.#isRefused && !this.#isLeading && this.#channel === null) {
      this.#join()
    }
  }

  readonly #onVisible = (): void => {
    const isVisible = document.visibilityState === 'visible'
    clearTimeout(this.#hiding)
    if (this.#channel !== null) {
      if (isVisible && !this.#isLeading) {
        this.#post({ kind: 'look' })
      }
    } else if (isVisible && !this.#isLeading && !this.#isRefused) {
      this.#join()
    } else if (!isVisible && this.#isLeading) {
      this.#hiding = setTimeout(() => {
        this.#disconnect()
        this.#setConnection({ state: 'connecting' })
      }, HIDDEN_TIMEOUT)
    }
  }
}

/** Only secure addresses have locks. */
const locks = () => (navigator as { locks?: LockManager | null }).locks

/** How many logs a stream can follow. */
const MOST_LOGS = 100
