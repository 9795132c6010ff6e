import { accessRefusedElsewhere } from './client.ts'
import { EventStream, LOOK, SILENCE, type Connection, type Listener, type ServerEvent } from './events.ts'

/** The name of the channel between tabs, and of the leader's lock. A new message format needs a new name. */
const NAME = 'spiderpig-events-2'

/** The leading tab answers a new tab within this time, in milliseconds, if it works. */
const WELCOME = 5000

/** A new leader waits this long, in milliseconds, for the other tabs to say which logs they show. */
const GATHERING = 100

/** A hidden tab closes its own stream after this time, in milliseconds, where tabs cannot share one. */
const HIDDEN = 30_000

/** A random part of the patience, in milliseconds, so that two tabs do not take over at the same time. */
const CHANCE = 5000

type Words =
  | { kind: 'lead' | 'heard' }
  | { kind: 'event'; event: ServerEvent; id: string | null }
  | { kind: 'connection'; connection: Connection }
  /** To a new tab: the connection, and the state if the tab does not have it. */
  | { kind: 'welcome'; to: string; connection: Connection; events: ServerEvent[]; last: string | null }
  | { kind: 'hello'; last: string | null; log: number | null }
  | { kind: 'follow'; log: number | null }
  | { kind: 'bye' | 'retry' | 'look' }

type Message = Words & { from: string }

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
  #isDeposed = false
  #channel: BroadcastChannel | null = null
  /** Stops waiting for the lock, and releases it. */
  #leave: () => void = () => undefined
  #timers: ReturnType<typeof setTimeout>[] = []
  #gathering: ReturnType<typeof setTimeout> | undefined
  #hiding: ReturnType<typeof setTimeout> | undefined
  #heardAt = 0
  #lookedAt = 0
  #patience = SILENCE
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
        this.#say({ kind: 'event', event, id })
        if (event.type === 'log') {
          this.#lengths.set(event.data.id, event)
        }
        this.#take(event, id)
      },
      connection: (connection) => {
        this.#say({ kind: 'connection', connection })
        this.#tell(connection)
        if (connection.state === 'refused') {
          this.#rest()
        }
      },
      heard: () => {
        this.#say({ kind: 'heard' })
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
    this.#part()
    this.#last = null
  }

  /** Follows the length of a job's log; none with null. */
  follow(log: number | null): void {
    if (log !== this.#log) {
      this.#log = log
      this.#say({ kind: 'follow', log })
      this.#gather()
      if (this.#isLeading && log !== null) {
        this.#repeat(log)
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
      this.#say({ kind: 'retry' })
    }
  }

  #join(): void {
    if (!locks() || !('BroadcastChannel' in window)) {
      this.#lead()
      return
    }
    const channel = new BroadcastChannel(NAME)
    channel.onmessage = ({ data }: MessageEvent<Message>) => this.#hear(data)
    this.#channel = channel
    this.#isWelcome = false
    this.#heardAt = this.#lookedAt = Date.now()
    this.#patience = WELCOME
    this.#tell({ state: 'connecting' })
    this.#hello()
    this.#timers.push(setInterval(() => this.#look(), LOOK / 5))
    this.#want({})
  }

  /** Waits for the lock, or steals it, and holds it until this tab leaves or another one steals it. */
  #want(how: { steal?: boolean }): void {
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
          this.#isDeposed = true
          this.#follow()
          this.#hello()
          this.#want({})
        }
      })
  }

  #lead(): void {
    this.#isLeading = true
    this.#others.clear()
    this.#lengths.clear()
    this.#say({ kind: 'lead' })
    this.#stream.follow(this.#log === null ? [] : [this.#log])
    this.#gathering = setTimeout(
      () => {
        this.#gathering = undefined
        this.#stream.follow(this.#logs())
        this.#stream.start(this.#last)
      },
      // A tab that takes over waits for the other tabs.
      this.#last === null || this.#channel === null ? 0 : GATHERING,
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
    this.#patience = WELCOME
  }

  /** Leaves the other tabs. */
  #part(): void {
    this.#follow()
    this.#timers.forEach(clearInterval)
    this.#timers = []
    clearTimeout(this.#hiding)
    this.#say({ kind: 'bye' })
    this.#leave()
    this.#leave = () => undefined
    this.#channel?.close()
    this.#channel = null
  }

  /** Closes everything until a retry. */
  #rest(): void {
    this.#isRefused = true
    this.#part()
  }

  #say(words: Words): void {
    this.#channel?.postMessage({ ...words, from: this.#id })
  }

  #hello(): void {
    this.#say({ kind: 'hello', last: this.#last, log: this.#log })
  }

  #hear(message: Message): void {
    if (this.#isLeading) {
      this.#serve(message)
      return
    }
    switch (message.kind) {
      case 'lead':
        this.#follow()
        this.#hello()
        break
      case 'welcome':
        this.#stayPatient()
        if (message.to === this.#id && !this.#isWelcome) {
          this.#isWelcome = true
          message.events.forEach((event) => this.#take(event, message.last))
          this.#tell(message.connection)
          this.#listener.heard()
        }
        break
      case 'event':
        this.#stayPatient()
        if (this.#isWelcome) {
          this.#take(message.event, message.id)
        }
        break
      case 'connection':
        this.#stayPatient()
        if (message.connection.state === 'refused') {
          this.#tell(message.connection)
          this.#rest()
          accessRefusedElsewhere(message.connection.reason)
        } else if (this.#isWelcome) {
          this.#tell(message.connection)
          if (message.connection.state === 'polled' && document.visibilityState === 'visible') {
            this.#say({ kind: 'look' })
          }
        }
        break
      case 'heard':
        this.#stayPatient()
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
        this.#say({ kind: 'welcome', to: from, connection: this.#connection, events, last: this.#last })
        this.#note(from, message.log)
        break
      }
      case 'follow':
        this.#note(from, message.log)
        break
      case 'bye':
        this.#others.delete(from)
        break
      case 'retry':
        this.#stream.retryNow()
        break
      case 'look':
        this.#stream.lookAgain()
        break
    }
  }

  #note(from: string, log: number | null): void {
    this.#others.delete(from)
    if (log !== null) {
      this.#others.set(from, log)
      this.#repeat(log)
    }
    this.#gather()
  }

  /** Sends the known length of a log at once. */
  #repeat(log: number): void {
    const length = this.#lengths.get(log)
    if (length !== undefined) {
      this.#say({ kind: 'event', event: length, id: null })
      this.#take(length, null)
    }
  }

  /** Follows the logs of all tabs, shortly after, as several may arrive together. */
  #gather(): void {
    if (this.#isLeading) {
      this.#gathering ??= setTimeout(() => {
        this.#gathering = undefined
        this.#stream.follow(this.#logs())
      }, GATHERING)
    }
  }

  #logs(): number[] {
    const logs = new Set([...(this.#log === null ? [] : [this.#log]), ...this.#others.values()])
    return [...logs].slice(0, MOST_LOGS)
  }

  #take(event: ServerEvent, id: string | null): void {
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

  #tell(connection: Connection): void {
    this.#connection = connection
    this.#listener.connection(connection)
  }

  #stayPatient(): void {
    this.#isDeposed = false
    this.#heardAt = Date.now()
    this.#patience = SILENCE + LOOK + Math.random() * CHANCE
  }

  /** Takes over from a leader that is silent for too long. */
  #look(): void {
    const now = Date.now()
    if (now - this.#lookedAt > 3 * LOOK) {
      // This tab slept, and so may have the others.
      this.#heardAt = Math.max(this.#heardAt, now - this.#patience + LOOK)
    }
    this.#lookedAt = now
    if (!this.#isLeading && now - this.#heardAt > this.#patience) {
      if (this.#isDeposed) {
        // The tabs do not hear each other, so this one opens its own stream.
        this.#part()
        this.#lead()
      } else {
        this.#follow()
        this.#want({ steal: true })
      }
    }
  }

  /** A frozen tab hears nothing, so it leaves the others. */
  readonly #freeze = (): void => this.#part()

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
        this.#say({ kind: 'look' })
      }
    } else if (isVisible && !this.#isLeading && !this.#isRefused) {
      this.#join()
    } else if (!isVisible && this.#isLeading) {
      this.#hiding = setTimeout(() => {
        this.#part()
        this.#tell({ state: 'connecting' })
      }, HIDDEN)
    }
  }
}

/** Only secure addresses have locks. */
const locks = () => (navigator as { locks?: LockManager | null }).locks

/** How many logs a stream can follow. */
const MOST_LOGS = 100
