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

/** For an answer to begin, in milliseconds. The API answers in a few; this is for a network that swallows requests. */
const TIMEOUT = 15_000

/** The same where the API may have to ask Gerrit first, which it does for 20 seconds at most. */
const TIMEOUT_WITH_GERRIT = 30_000

/** An argument that breaks its rule, as the API names it. */
export interface Invalid {
  /** Where it stands: `["body", "params", "speed"]`. */
  loc: string[]
  msg: string
}

/** Why a request was not answered as asked. The message is for people. */
export class ApiError extends Error {
  override name = 'ApiError'

  constructor(
    message: string,
    /** The HTTP status; 0 if there was no answer. */
    readonly status: number,
    /** What the API says beside the message, such as `responded_by`. */
    readonly fields: Record<string, unknown> = {},
    /** Each wrong argument, if that is what is wrong. */
    readonly invalid: Invalid[] = [],
    /** In so many seconds it may be tried again, if the API says so. */
    readonly retryAfter: number | null = null,
  ) {
    super(message)
  }

  /** What it is, for programs: `needauth`. */
  get code(): unknown {
    return this.fields.code
  }
}

/** What went wrong, for people. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** Whether somebody gave a request up, which is nothing to tell anybody. */
export function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'AbortError'
}

/** How the API says that it does not let somebody in (any more), whatever they ask for. */
const ACCESS_REFUSALS: ReadonlySet<unknown> = new Set(['needauth', 'need2fa', 'unauthorized'])

let reportAccessRefused: (refusal: ApiError) => void = () => undefined

/** Calls whenever a request was refused because of who sent it. One listener, for as long as the page lives. */
export function onAccessRefused(listener: (refusal: ApiError) => void): void {
  reportAccessRefused = listener
}

/** Another tab has found out that this person is not let in any more. */
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
  /** Sent as it is. */
  text?: string
}

/**
 * Asks the API, and reads its response if that is a success.
 *
 * Reading is a part of it: a network can swallow the second half of an answer, too. A stream's reader only takes the
 * body, and has a deadline of its own.
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

/** Tells the API to do something. It is sent once, as soon as there is a connection, unless somebody gives it up before. */
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

/** A response that is a success; what another one says is thrown. */
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

/** What a response that is no success says. A proxy's may say it in HTML, which is not shown. */
async function refusal(response: Response): Promise<ApiError> {
  const { status } = response
  const body: unknown = await response.json().catch(() => null)
  const detail = isObject(body) ? body.detail : null
  if (Array.isArray(detail) && detail.every(isInvalid)) {
    return new ApiError(detail.map(({ msg }) => msg).join('; '), status, {}, detail)
  }
  if (isObject(detail) && typeof detail.message === 'string') {
    const { message, ...fields } = detail as Record<string, unknown> & { message: string }
    // What is wrong with the server stands in its log by this name.
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
  /** Also of those that this person may not start. */
  titles: Record<string, string>
  gerrit_url: string | null
}

/** Which lines of the audit log a page of it is to have. What is empty does not matter. */
export interface AuditFilter {
  user: string
  event: string
  /** Text anywhere in the line. */
  q: string
}

/** Which jobs a list is to have. */
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
   * `anyway`: also if Gerrit cannot be asked about its changes, or something speaks against them. That is recorded.
   */
  start: (type: string, params: Record<string, ParamValue>, key: string, anyway = false) =>
    post<{ id: number }>('/api/jobs', {
      json: anyway ? { type, params, anyway } : { type, params },
      headers: { 'Idempotency-Key': key },
      timeout: TIMEOUT_WITH_GERRIT,
    }),

  /** Says what would be executed. */
  dryRun: (type: string, params: Record<string, ParamValue>) =>
    post<DryRun>('/api/jobs', { query: { dry_run: true }, json: { type, params } }),

  retry: (id: number, key: string, anyway = false) =>
    post<{ id: number }>(`/api/jobs/${id}/retry`, {
      query: { anyway },
      headers: { 'Idempotency-Key': key },
      timeout: TIMEOUT_WITH_GERRIT,
    }),

  /** Asks Gerrit for changes, by numbers or addresses as they were typed. */
  changes: async (inputs: string[], signal: AbortSignal) =>
    (await get<{ changes: Lookup[] }>('/api/changes', { query: { change: inputs }, signal })).changes,

  /** Finds out what speaks against deploying these changes. Nothing is started. */
  preflight: (inputs: string[], signal: AbortSignal) =>
    get<Preflight>('/api/preflight', { query: { change: inputs }, signal, timeout: TIMEOUT_WITH_GERRIT }),

  /** Answers a prompt. It is refused with 409 if somebody was first: `responded_by` and `response` say who and what. */
  answer: (job: number, interaction: number, answer: string) =>
    post<unknown>(`/api/jobs/${job}/interact/${interaction}`, { text: answer }),

  /** Stops a job; one that waits in the queue is cancelled. */
  signal: (job: number, signal: 'interrupt' | 'kill') => post<unknown>(`/api/jobs/${job}/signal/${signal}`),

  trainStatus: (signal?: AbortSignal) => get<TrainStatus>('/api/train/status', { signal }),

  /** Moves the train. What this person has seen is kept with the job, so that all see the same while it runs. */
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

  /** A window of a log. `from` is a record's number, or negative: from the end. */
  records: (
    job: number,
    { from, count, sensitive, signal }: { from: number; count: number; sensitive: boolean; signal?: AbortSignal },
  ) => get<LogWindow>(`/api/jobs/${job}/log/records`, { query: { from, count, include_sensitive: sensitive }, signal }),

  /** Searches a log: the number of the first record of each line with the text, and then the end. */
  searchLog: (job: number, q: string, sensitive: boolean, signal: AbortSignal) =>
    stream<{ type: 'match'; recno: number } | { type: 'end'; matches: number; hidden: number; complete: boolean }>(
      `/api/jobs/${job}/log/search`,
      { query: { q, include_sensitive: sensitive }, signal },
    ),

  /** What there is to jump to in a log from a record on, and then the end: the record from which to ask on. */
  marks: (job: number, from: number, signal: AbortSignal) =>
    stream<LogMark | { type: 'end'; next: number; complete: boolean }>(`/api/jobs/${job}/log/marks`, {
      query: { from },
      signal,
    }),

  /** Mode `local`. The second factor comes after it. */
  signIn: (user: string, password: string) => post<SignedIn>('/api/login', { json: { user, password } }),

  /** The code of the second factor, or a recovery code. Each works once. */
  giveCode: (code: string) =>
    // How many recovery codes are left is said if it was one.
    post<{ message: string; user: string; recovery_codes_left: number | null }>('/api/2fa', { text: code }),

  signOut: () => post<{ message: string; SSOLogoutUrl: string }>('/api/logout'),

  /** Admins: ends the sessions of everybody. */
  signOutEverybody: () => post<{ message: string }>('/api/logoutAll'),

  secondFactor: () => get<SecondFactor>('/api/2fa'),

  /** A new second factor to confirm. Whoever has one gives a code of that; it is in use until then. */
  beginEnrolment: (code?: string) => post<Enrolment>('/api/2fa/enrol', { json: code === undefined ? {} : { code } }),

  confirmEnrolment: (code: string) => post<RecoveryCodes>('/api/2fa/confirm', { text: code }),

  /** New recovery codes; the old ones are void. */
  renewRecoveryCodes: (code: string) => post<RecoveryCodes>('/api/2fa/recovery-codes', { text: code }),

  removeSecondFactor: (code: string) => post<{ message: string }>('/api/2fa/remove', { text: code }),

  sessions: async (signal?: AbortSignal) =>
    (await get<{ sessions: BrowserSession[] }>('/api/sessions', { signal })).sessions,

  endSession: (id: string) => post<{ message: string }>(`/api/sessions/${encodeURIComponent(id)}/end`),

  endOtherSessions: () => post<{ message: string }>('/api/sessions/end-others'),

  tokens: async (signal?: AbortSignal) => (await get<{ tokens: Token[] }>('/api/tokens', { signal })).tokens,

  revokeToken: (id: string) => post<{ message: string }>(`/api/tokens/${encodeURIComponent(id)}/revoke`),

  /** Those of everybody, for admins. */
  allTokens: async (signal?: AbortSignal) => (await get<{ tokens: Token[] }>('/api/users/tokens', { signal })).tokens,

  revokeTokenOf: (user: string, id: string) =>
    post<{ message: string }>(`/api/users/${encodeURIComponent(user)}/tokens/${encodeURIComponent(id)}/revoke`),

  users: async (signal?: AbortSignal) => (await get<{ users: User[] }>('/api/users', { signal })).users,

  resetSecondFactor: (user: string) =>
    post<{ message: string }>(`/api/users/${encodeURIComponent(user)}/reset-second-factor`),

  endSessionsOf: (user: string) => post<{ message: string }>(`/api/users/${encodeURIComponent(user)}/end-sessions`),

  /**
   * The newest first. If there may be more, `next` is the `before` to ask for them with: a page may have fewer than asked
   * for, or none, as only so much is looked through at once.
   */
  audit: (filter: AuditFilter, { limit, before, signal }: { limit: number; before?: number; signal?: AbortSignal }) =>
    get<AuditPage>('/api/audit', { query: { ...filter, limit, before }, signal }),

  /** The HTML of this page, as the API would send it now. */
  page: () => ask('/', { headers: { Accept: 'text/html' } }, (response) => response.text()),

  /** The stream of everything that changes; with the numbers of jobs also of how long their logs are. */
  events: (logs: readonly number[], last: string | null, signal: AbortSignal) => {
    const resume: Record<string, string> = last === null ? {} : { 'Last-Event-ID': last }
    return ask(
      '/api/events',
      { query: { log: logs }, headers: { Accept: 'text/event-stream', ...resume }, signal },
      bodyOf,
    )
  },
}

/** Where the plain text of a log is. */
export function logTextUrl(job: number): string {
  return `/api/jobs/${job}/log?format=text`
}
