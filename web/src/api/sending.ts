import { readonly, shallowRef } from 'vue'

/** A request on its way out for longer than this waits for a connection, in milliseconds. */
const SOON = 1000

/** What is sent where there is nothing to say: browsers tell of a body only whether it has left if there is one. */
const NOTHING = ' '

/** A request that has not left this browser, as there is no connection for it. */
export interface Waiting {
  /**
   * Gives it up, so that it is never sent. Chromium tells up to a tenth of a second late that something has left: what is
   * cancelled just then has arrived.
   */
  cancel(): void
}

/** Somebody gave up a request before it left. */
export class NotSent extends Error {
  override name = 'NotSent'

  constructor() {
    super('Not sent: cancelled while waiting for a connection')
  }
}

/** A request has left, and was not answered in time. */
export class Unanswered extends Error {
  override name = 'Unanswered'
}

const all = shallowRef<readonly Waiting[]>([])

/** What waits for a connection now. */
export const waiting = readonly(all)

interface Outgoing {
  headers: Record<string, string>
  /** Left out: nothing that matters. Whether an empty one has left cannot be known, so it counts as sent at once. */
  body?: string
  /** For the answer, from when the request has left, in milliseconds. */
  patience: number
}

/**
 * Sends what is to do something, once, and returns the whole response.
 *
 * A browser has few connections to a host, and keeps what gets none until there is one. `fetch` does not tell that from an
 * API that does not answer, and giving it up then would lose what was never sent: an `XMLHttpRequest` says when its body
 * leaves.
 *
 * It throws `NotSent`, `Unanswered`, or another error if the connection fails.
 */
export function send(path: string, { headers, body = NOTHING, patience }: Outgoing): Promise<Response> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest()
    let failure: Error = new TypeError('There was no answer')
    let timer: ReturnType<typeof setTimeout>
    const giveUp = (why: Error) => {
      failure = why
      request.abort()
    }
    const entry: Waiting = { cancel: () => giveUp(new NotSent()) }
    const waitsNoLonger = () => {
      clearTimeout(timer)
      all.value = all.value.filter((other) => other !== entry)
    }
    const hasLeft = () => {
      waitsNoLonger()
      timer = setTimeout(() => giveUp(new Unanswered()), patience)
    }

    request.upload.addEventListener('progress', hasLeft, { once: true })
    request.addEventListener('load', () => resolve(responseOf(request)))
    request.addEventListener('loadend', () => {
      waitsNoLonger()
      // Of what was loaded this changes nothing any more.
      reject(failure)
    })
    request.open('POST', path)
    for (const [name, value] of Object.entries(headers)) {
      request.setRequestHeader(name, value)
    }
    timer = setTimeout(() => (all.value = [...all.value, entry]), SOON)
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
