import { readonly, shallowRef } from 'vue'

/** A request that has not left within this time is waiting for a connection, in milliseconds. */
const WAITING_AFTER = 1000

/** The body of requests without content: browsers report progress only for non-empty bodies. */
const EMPTY_BODY = ' '

/** A request that waits for a connection. */
export interface Waiting {
  /**
   * Cancels it, so that it is never sent. Chromium reports up to a tenth of a second late that a request has left: one
   * that is cancelled just then has arrived.
   */
  cancel(): void
}

/** A request was cancelled before it left. */
export class NotSent extends Error {
  override name = 'NotSent'

  constructor() {
    super('Not sent: cancelled while waiting for a connection')
  }
}

/** A request was sent, but not answered in time. */
export class Unanswered extends Error {
  override name = 'Unanswered'
}

const all = shallowRef<readonly Waiting[]>([])

/** The requests that wait for a connection. */
export const waiting = readonly(all)

interface Outgoing {
  headers: Record<string, string>
  /** An empty body counts as sent at once, as its progress is unknown. */
  body?: string
  /** The timeout for the answer after the request has left, in milliseconds. */
  patience: number
}

/**
 * Sends a request that changes something, once, and returns the whole response.
 *
 * A browser has few connections to a host, and queues requests without one. `fetch` cannot tell that from an API that
 * does not answer, and a timeout would drop a request that was never sent. An `XMLHttpRequest` reports when its body
 * leaves.
 *
 * @throws NotSent, Unanswered, or another error if the connection fails.
 */
export function send(path: string, { headers, body = EMPTY_BODY, patience }: Outgoing): Promise<Response> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest()
    let failure: Error = new TypeError('There was no answer')
    let timer: ReturnType<typeof setTimeout>
    const abortWith = (why: Error) => {
      failure = why
      request.abort()
    }
    const entry: Waiting = { cancel: () => abortWith(new NotSent()) }
    const waitsNoLonger = () => {
      clearTimeout(timer)
      all.value = all.value.filter((other) => other !== entry)
    }
    const hasLeft = () => {
      waitsNoLonger()
      timer = setTimeout(() => abortWith(new Unanswered()), patience)
    }

    request.upload.addEventListener('progress', hasLeft, { once: true })
    request.addEventListener('load', () => resolve(responseOf(request)))
    request.addEventListener('loadend', () => {
      waitsNoLonger()
      // After a load this has no effect.
      reject(failure)
    })
    request.open('POST', path)
    for (const [name, value] of Object.entries(headers)) {
      request.setRequestHeader(name, value)
    }
    timer = setTimeout(() => (all.value = [...all.value, entry]), WAITING_AFTER)
    if (body === '') {
      hasLeft()
    }
    request.send(body)
  })
}

/** Responses with these statuses have no body. */
const BODILESS: ReadonlySet<number> = new Set([204, 205, 304])

function responseOf(request: XMLHttpRequest): Response {
  const { status, statusText, responseText } = request
  const headers = new Headers()
  for (const line of request.getAllResponseHeaders().trim().split('\r\n')) {
    const colon = line.indexOf(':')
    if (colon > 0) {
      headers.append(line.slice(0, colon), line.slice(colon + 1).trim())
    }
  }
  return new Response(BODILESS.has(status) ? null : responseText, { status, statusText, headers })
}
