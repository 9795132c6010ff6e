import { accessRefusedElsewhere } from './client.ts'
import { EventStream, LOOK, SILENCE, type Connection, type Listener, type ServerEvent } from './events.ts'

/** What is said between tabs, and the lock of the one that listens for all. Another form of it gets another name. */
const NAME = 'spiderpig-events-2'

/** Who comes is answered by the tab that listens, if it is well. Then a stream that it has had for longer is a sign of life. */
const WELCOME = 5000

/** A tab that has begun to listen waits so long for the others to say which logs they show. */
const GATHERING = 100

/** A tab that nobody sees gives up a stream of its own after so long, where tabs cannot share one. */
const HIDDEN = 30_000

/** Two tabs do not find out at the same time that they hear nothing. */
const CHANCE = 5000

type Words =
  | { kind: 'lead' | 'heard' }
  | { kind: 'event'; event: ServerEvent; id: string | null }
  | { kind: 'connection'; connection: Connection }
  /** To who has come: how it is, and what there is to know for who does not know it. */
  | { kind: 'welcome'; to: string; connection: Connection; events: ServerEvent[]; last: string | null }
  | { kind: 'hello'; last: string | null; log: number | null }
  | { kind: 'follow'; log: number | null }
  | { kind: 'bye' | 'retry' | 'look' }

type Message = Words & { from: string }

/** All that a stream would tell now; nothing before the first word of it. */
export type Snapshot = () => ServerEvent[]

/**
 * The events for a tab, from one stream for all tabs of a browser: over HTTP/1.1 it has six connections to a host, and
 * each stream would keep one.
 *
 * The tab that has the lock listens, and tells the others. When it goes away, or is frozen, the next one gets the lock, and
 * goes on behind the event that it had last. Who hears nothing for longer than a stream is ever silent takes the lock. Where
 * there are no locks, as on addresses that are not secure, each tab has its own stream while somebody sees it.
 */
export class SharedEvents {
  readonly #listener: Listener
  readonly #snapshot: Snapshot
  readonly #id = crypto.getRandomValues(new Uint32Array(2)).join('-')
  readonly #stream: EventStream
  #log: number | null = null
  /** The identifier of the last event that this tab has. */
  #last: string | null = null
  #connection: Connection = { state: 'connecting' }
  #isStarted = false
  /** This person is not let in: nobody listens before there is a reason to. */
  #isRefused = false
  #isLeading = false
  #isWelcome = false
  /** Another tab took the lock away from this one, which has heard nothing of it since. */
  #isDeposed = false
  #channel: BroadcastChannel | null = null
  /** Ends the wait for the lock, and lets go of it. */
  #leave: () => void = () => undefined
  #timers: ReturnType<typeof setTimeout>[] = []
  #gathering: ReturnType<typeof setTimeout> | undefined
  #hiding: ReturnType<typeof setTimeout> | undefined
  #heardAt = 0
  #lookedAt = 0
  #patience = SILENCE
  /** Which logs the other tabs show. */
  readonly #others = new Map<string, number>()
  /** How long each log was that this stream has told of. */
  readonly #lengths = new Map<number, ServerEvent>()

  /** `snapshot` is what this tab knows, for others that come. */
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

  /** Ends it, and forgets where it was. */
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

  /** From now on it also tells how long the log of a job is; of none with null. */
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

  /** Does not wait for the next attempt. */
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

  /** Waits for the lock, or takes it from who has it, and keeps it until this tab leaves or somebody takes it. */
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
        // Given up by this tab, or taken by another.
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
      // Who goes on from another tab has others beside it.
      this.#last === null || this.#channel === null ? 0 : GATHERING,
    )
  }

  /** Another tab listens. */
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

  /** Leaves the others, for now or for ever. */
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

  /** Nobody listens before there is a reason to. */
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

  /** What another tab wants of the one that listens. */
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

  /** Who comes to a log that is told of already is told at once. */
  #repeat(log: number): void {
    const length = this.#lengths.get(log)
    if (length !== undefined) {
      this.#say({ kind: 'event', event: length, id: null })
      this.#take(length, null)
    }
  }

  /** Follows the logs of all, in a moment: tabs come together. */
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
    // Should this one not be understood, everything is told anew.
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

  /** Takes over from a tab that is silent for longer than a stream ever is. */
  #look(): void {
    const now = Date.now()
    if (now - this.#lookedAt > 3 * LOOK) {
      // This tab slept. So may have all others.
      this.#heardAt = Math.max(this.#heardAt, now - this.#patience + LOOK)
    }
    this.#lookedAt = now
    if (!this.#isLeading && now - this.#heardAt > this.#patience) {
      if (this.#isDeposed) {
        // The two do not hear each other: this tab has a stream of its own.
        this.#part()
        this.#lead()
      } else {
        this.#follow()
        this.#want({ steal: true })
      }
    }
  }

  /** What is frozen hears nothing, and keeps nothing from others. */
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

/** Only addresses that are secure have them. */
const locks = () => (navigator as { locks?: LockManager | null }).locks

/** The API tells of so many logs at most. */
const MOST_LOGS = 100
