import { jsonLines } from './lines.ts'
import { NotSent, send, Unanswered } from './sending.ts'
import { learnServerTime } from './serverTime.ts'
import type {
  AuditPage,
  BrowserSession,
  DryRun,
  Enrolment,
  Job,
  JobList,
  JobType,
  LogMark,
  LogWindow,
  Lookup,
  MediaWikiErrors,
  Param,
  ParamValue,
  Preflight,
  RecoveryCodes,
  Runner,
  SecondFactor,
  SignedIn,
  Token,
  TrainMove,
  TrainStatus,
  User,
  WhoAmI,
} from './types.ts'

/** How long a request may take, in milliseconds. The API answers in a few; this is for networks that lose requests. */
const TIMEOUT = 15_000

/** The same for requests for which the API asks Gerrit, which takes at most 20 seconds. */
const TIMEOUT_WITH_GERRIT = 30_000

/** An invalid argument, as the API reports it. */
export interface Invalid {
  /** Its path: `["body", "params", "speed"]`. */
  loc: string[]
  msg: string
}

/** Why a request failed. The message is for people. */
export class ApiError extends Error {
  override name = 'ApiError'

  constructor(
    message: string,
    /** The HTTP status; 0 if there was no answer. */
    readonly status: number,
    /** Other fields of the answer, such as `responded_by`. */
    readonly fields: Record<string, unknown> = {},
    /** The invalid arguments, if there are any. */
    readonly invalid: Invalid[] = [],
    /** After how many seconds to try again, if the API says so. */
    readonly retryAfter: number | null = null,
  ) {
    super(message)
  }

  /** The kind of the error, for programs: `needauth`. */
  get code(): unknown {
    return this.fields.code
  }
}

/** The reason of an error, for people. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** Whether a request was aborted on purpose, which is not reported. */
export function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'AbortError'
}

/** The codes with which the API refuses a user without access, whatever they request. */
const ACCESS_REFUSALS: ReadonlySet<unknown> = new Set(['needauth', 'need2fa', 'unauthorized'])

let reportAccessRefused: (refusal: ApiError) => void = () => undefined

/** Calls the listener whenever the API refuses a user without access. There is one listener. */
export function onAccessRefused(listener: (refusal: ApiError) => void): void {
  reportAccessRefused = listener
}

/** Another tab has found that access was lost. */
export function accessRefusedElsewhere(reason: string): void {
  reportAccessRefused(new ApiError(reason, 401))
}

interface GetOptions {
  query?: Record<string, string | number | boolean | readonly (string | number)[] | null | undefined>
  headers?: Record<string, string>
  signal?: AbortSignal
  /** In milliseconds. */
  timeout?: number
}

interface PostOptions extends Omit<GetOptions, 'signal'> {
  /** Sent as JSON. */
  json?: unknown
  /** Sent as plain text. */
  text?: string
}

/**
 * Sends a request to the API, and reads a successful response.
 *
 * The timeout includes reading, as a network can lose the second half of an answer, too. For streams, `read` only takes
 * the body; their readers have their own timeouts.
 */
async function ask<T>(path: string, options: GetOptions, read: (response: Response) => T | Promise<T>): Promise<T> {
  const { query = {}, headers = {}, signal } = options
  const deadline = new AbortController()
  const timer = setTimeout(() => deadline.abort(), options.timeout ?? TIMEOUT)
  const sentAt = Date.now()
  try {
    const response = await fetch(path + search(query), {
      headers,
      signal: signal ? AbortSignal.any([signal, deadline.signal]) : deadline.signal,
    })
    return await read(await accepted(response, sentAt))
  } catch (error) {
    if (error instanceof ApiError || signal?.aborted) {
      throw error
    }
    throw new ApiError(deadline.signal.aborted ? LATE : UNREACHABLE, 0)
  } finally {
    clearTimeout(timer)
  }
}

/**
 * Tells the API to do something. It is sent once, as soon as there is a connection, unless the user cancels it before.
 */
async function post<T>(path: string, options: PostOptions = {}): Promise<T> {
  const { query = {}, json, text, headers = {}, timeout = TIMEOUT } = options
  const type = json === undefined ? 'text/plain' : 'application/json'
  const sentAt = Date.now()
  try {
    const response = await send(path + search(query), {
      headers: { 'Content-Type': type, ...headers },
      body: json === undefined ? text : JSON.stringify(json),
      patience: timeout,
    })
    return (await (await accepted(response, sentAt)).json()) as T
  } catch (error) {
    if (error instanceof ApiError || error instanceof NotSent) {
      throw error
    }
    const what = error instanceof Unanswered ? LATE : UNREACHABLE
    throw new ApiError(`${what}: it is unknown whether this was done. Check before you try again`, 0)
  }
}

const LATE = 'SpiderPig did not answer in time'
const UNREACHABLE = 'SpiderPig cannot be reached'

/** Returns a successful response, and throws the error of another one. */
async function accepted(response: Response, sentAt: number): Promise<Response> {
  learnServerTime(response.headers.get('Date'), sentAt, Date.now())
  if (response.ok) {
    return response
  }
  const refused = await refusal(response)
  if (ACCESS_REFUSALS.has(refused.code)) {
    reportAccessRefused(refused)
  }
  throw refused
}

function search(query: NonNullable<GetOptions['query']>): string {
  const parameters = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== null && one !== undefined && one !== '' && one !== false) {
        parameters.append(name, String(one))
      }
    }
  }
  const text = parameters.toString()
  return text === '' ? '' : `?${text}`
}

/** The error of a response. A proxy may answer in HTML, which is not shown. */
async function refusal(response: Response): Promise<ApiError> {
  const { status } = response
  const body: unknown = await response.json().catch(() => null)
  const detail = isObject(body) ? body.detail : null
  if (Array.isArray(detail) && detail.every(isInvalid)) {
    return new ApiError(detail.map(({ msg }) => msg).join('; '), status, {}, detail)
  }
  if (isObject(detail) && typeof detail.message === 'string') {
    const { message, ...fields } = detail as Record<string, unknown> & { message: string }
    // The server's log has the cause under this identifier.
    const isNamed = status === 500 && typeof fields.request_id === 'string'
    const id = isNamed ? ` (request ${String(fields.request_id)})` : ''
    return new ApiError(`${message}${id}`, status, fields, [], secondsIn(response.headers.get('Retry-After')))
  }
  const said = typeof detail === 'string' ? detail : response.statusText
  return new ApiError(`The server answered ${status} ${said}`.trim(), status)
}

function secondsIn(header: string | null): number | null {
  return header !== null && /^\d{1,6}$/.test(header) ? Number(header) : null
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

function isInvalid(value: unknown): value is Invalid {
  return isObject(value) && typeof value.msg === 'string' && Array.isArray(value.loc)
}

function get<T>(path: string, options: GetOptions = {}): Promise<T> {
  return ask(path, options, (response) => response.json() as Promise<T>)
}

async function* stream<T>(path: string, options: GetOptions): AsyncGenerator<T> {
  yield* jsonLines(await ask(path, options, bodyOf)) as AsyncGenerator<T>
}

function bodyOf(response: Response): ReadableStream<Uint8Array> {
  if (response.body === null) {
    throw new ApiError('The server sent an empty answer', response.status)
  }
  return response.body
}

interface JobTypes {
  job_types: (Omit<JobType, 'params'> & { params: Omit<Param, 'gerritUrl'>[] })[]
  /** Also of job types that the user may not start. */
  titles: Record<string, string>
  gerrit_url: string | null
}

/** A filter of the audit trail. Empty members match everything. */
export interface AuditFilter {
  user: string
  event: string
  /** Text anywhere in the entry. */
  q: string
}

/** A filter of job lists. Empty members match everything. */
export interface JobFilter {
  outcome: string[]
  state: string[]
  user: string
  type: string
  /** Text in parameters and data. */
  q: string
}

export const api = {
  whoami: () => get<WhoAmI>('/api/whoami'),

  jobTypes: async () => {
    const { job_types, titles, gerrit_url } = await get<JobTypes>('/api/job-types')
    const complete = (param: Omit<Param, 'gerritUrl'>) => ({ ...param, gerritUrl: gerrit_url })
    const jobTypes = job_types.map((type): JobType => ({ ...type, params: type.params.map(complete) }))
    return { jobTypes, titles }
  },

  jobs: (filter: JobFilter, { limit, before, signal }: { limit: number; before?: number; signal?: AbortSignal }) =>
    get<JobList>('/api/jobs', { query: { ...filter, limit, before }, signal }),

  job: async (id: number, signal?: AbortSignal) => (await get<{ job: Job }>(`/api/jobs/${id}`, { signal })).job,

  /**
   * Starts a job. With the same key it is started once, however often this is sent within a day.
   *
   * `anyway`: also if the change check fails or finds problems. The job records this.
   */
  start: (type: string, params: Record<string, ParamValue>, key: string, anyway = false) =>
    post<{ id: number }>('/api/jobs', {
      json: anyway ? { type, params, anyway } : { type, params },
      headers: { 'Idempotency-Key': key },
      timeout: TIMEOUT_WITH_GERRIT,
    }),

  /** Returns the command that would be executed. */
  dryRun: (type: string, params: Record<string, ParamValue>) =>
    post<DryRun>('/api/jobs', { query: { dry_run: true }, json: { type, params } }),

  retry: (id: number, key: string, anyway = false) =>
    post<{ id: number }>(`/api/jobs/${id}/retry`, {
      query: { anyway },
      headers: { 'Idempotency-Key': key },
      timeout: TIMEOUT_WITH_GERRIT,
    }),

  /** Looks up changes in Gerrit, by numbers or addresses as they were typed. */
  changes: async (inputs: string[], signal: AbortSignal) =>
    (await get<{ changes: Lookup[] }>('/api/changes', { query: { change: inputs }, signal })).changes,

  /** Checks changes before a deployment. Nothing is started. */
  preflight: (inputs: string[], signal: AbortSignal) =>
    get<Preflight>('/api/preflight', { query: { change: inputs }, signal, timeout: TIMEOUT_WITH_GERRIT }),

  /** Answers a prompt. The API refuses it with 409 if there is an answer: `responded_by` and `response` contain it. */
  answer: (job: number, interaction: number, answer: string) =>
    post<unknown>(`/api/jobs/${job}/interact/${interaction}`, { text: answer }),

  /** Stops a job, or cancels it if it is queued. */
  signal: (job: number, signal: 'interrupt' | 'kill') => post<unknown>(`/api/jobs/${job}/signal/${signal}`),

  trainStatus: (signal?: AbortSignal) => get<TrainStatus>('/api/train/status', { signal }),

  /** Moves the train. The job keeps the status that the user saw, so that everyone sees it while the job runs. */
  moveTrain: (move: TrainMove, originalTrainStatus: TrainStatus, key: string) =>
    post<{ id: number }>('/api/jobs/train', {
      json: { ...move, originalTrainStatus },
      headers: { 'Idempotency-Key': key },
    }),

  mediaWikiTotal: (signal: AbortSignal) =>
    get<{ time: number | null; total: number | null }>('/api/monitoring/logs/mediawiki/total', { signal }),

  runner: (signal: AbortSignal) => get<Runner>('/api/runner', { signal }),

  mediaWikiErrors: (signal?: AbortSignal) => get<MediaWikiErrors>('/api/monitoring/logs/mediawiki', { signal }),

  pause: (reason: string) => post<{ message: string }>('/api/runner/pause', { json: { reason } }),

  resume: () => post<{ message: string }>('/api/runner/resume'),

  /** A window of a log. `from` is the number of a record, or negative to count from the end. */
  records: (
    job: number,
    { from, count, sensitive, signal }: { from: number; count: number; sensitive: boolean; signal?: AbortSignal },
  ) => get<LogWindow>(`/api/jobs/${job}/log/records`, { query: { from, count, include_sensitive: sensitive }, signal }),

  /** Searches a log: returns the first record of each matching line, and then the end. */
  searchLog: (job: number, q: string, sensitive: boolean, signal: AbortSignal) =>
    stream<{ type: 'match'; recno: number } | { type: 'end'; matches: number; hidden: number; complete: boolean }>(
      `/api/jobs/${job}/log/search`,
      { query: { q, include_sensitive: sensitive }, signal },
    ),

  /** The jump targets in a log from a record on, and then the end: the record at which the next request starts. */
  marks: (job: number, from: number, signal: AbortSignal) =>
    stream<LogMark | { type: 'end'; next: number; complete: boolean }>(`/api/jobs/${job}/log/marks`, {
      query: { from },
      signal,
    }),

  /** Signs in with a password (mode `local`). The second factor follows. */
  signIn: (user: string, password: string) => post<SignedIn>('/api/login', { json: { user, password } }),

  /** Sends a code of the second factor, or a recovery code. Each works once. */
  giveCode: (code: string) =>
    // After a recovery code, the answer says how many are left.
    post<{ message: string; user: string; recovery_codes_left: number | null }>('/api/2fa', { text: code }),

  signOut: () => post<{ message: string; SSOLogoutUrl: string }>('/api/logout'),

  /** For admins: ends the sessions of all users. */
  signOutEverybody: () => post<{ message: string }>('/api/logoutAll'),

  secondFactor: () => get<SecondFactor>('/api/2fa'),

  /**
   * Begins to set up a second factor. Users who have one send its code; it stays in use until the new one is confirmed.
   */
  beginEnrolment: (code?: string) => post<Enrolment>('/api/2fa/enrol', { json: code === undefined ? {} : { code } }),

  confirmEnrolment: (code: string) => post<RecoveryCodes>('/api/2fa/confirm', { text: code }),

  /** Creates new recovery codes. The old ones stop working. */
  renewRecoveryCodes: (code: string) => post<RecoveryCodes>('/api/2fa/recovery-codes', { text: code }),

  removeSecondFactor: (code: string) => post<{ message: string }>('/api/2fa/remove', { text: code }),

  sessions: async (signal?: AbortSignal) =>
    (await get<{ sessions: BrowserSession[] }>('/api/sessions', { signal })).sessions,

  endSession: (id: string) => post<{ message: string }>(`/api/sessions/${encodeURIComponent(id)}/end`),

  endOtherSessions: () => post<{ message: string }>('/api/sessions/end-others'),

  tokens: async (signal?: AbortSignal) => (await get<{ tokens: Token[] }>('/api/tokens', { signal })).tokens,

  revokeToken: (id: string) => post<{ message: string }>(`/api/tokens/${encodeURIComponent(id)}/revoke`),

  /** The tokens of all users, for admins. */
  allTokens: async (signal?: AbortSignal) => (await get<{ tokens: Token[] }>('/api/users/tokens', { signal })).tokens,

  revokeTokenOf: (user: string, id: string) =>
    post<{ message: string }>(`/api/users/${encodeURIComponent(user)}/tokens/${encodeURIComponent(id)}/revoke`),

  users: async (signal?: AbortSignal) => (await get<{ users: User[] }>('/api/users', { signal })).users,

  resetSecondFactor: (user: string) =>
    post<{ message: string }>(`/api/users/${encodeURIComponent(user)}/reset-second-factor`),

  endSessionsOf: (user: string) => post<{ message: string }>(`/api/users/${encodeURIComponent(user)}/end-sessions`),

  /**
   * The audit trail, the newest entries first. If there may be more, `next` is the `before` of the next request. A page
   * may have fewer entries than `limit`, or none, as the API searches only so much at once.
   */
  audit: (filter: AuditFilter, { limit, before, signal }: { limit: number; before?: number; signal?: AbortSignal }) =>
    get<AuditPage>('/api/audit', { query: { ...filter, limit, before }, signal }),

  /** The current HTML of this page. */
  page: () => ask('/', { headers: { Accept: 'text/html' } }, (response) => response.text()),

  /** The stream of all changes, and of the lengths of these jobs' logs. */
  events: (logs: readonly number[], last: string | null, signal: AbortSignal) => {
    const resume: Record<string, string> = last === null ? {} : { 'Last-Event-ID': last }
    return ask(
      '/api/events',
      { query: { log: logs }, headers: { Accept: 'text/event-stream', ...resume }, signal },
      bodyOf,
    )
  },
}

/** The address of a log as plain text. */
export function logTextUrl(job: number): string {
  return `/api/jobs/${job}/log?format=text`
}
