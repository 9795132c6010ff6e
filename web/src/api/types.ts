/**
 * What the API answers. The names and meanings are those of `/api/openapi.json`.
 */

export type JobState =
  | 'queued'
  | 'starting'
  | 'running'
  | 'waiting'
  | 'stopping'
  | 'succeeded'
  | 'failed'
  | 'cancelled'
  | 'lost'
  | 'rejected'

/** How a job ended, for people: `state` only separates an exit status of 0 from others. */
export type Outcome =
  | 'succeeded'
  /** An answer to a question ended it. */
  | 'cancelled_at_prompt'
  | 'rolled_back'
  | 'failed'
  /** A user stopped it while it ran. */
  | 'stopped'
  /** A signal from elsewhere ended it. */
  | 'killed'
  | 'timed_out'
  /** Its command could not be executed. */
  | 'not_started'
  /** It was cancelled before its command started. */
  | 'cancelled'
  | 'lost'

/** The value of a parameter, or a list if the parameter takes many. */
export type ParamValue = string | number | boolean | (string | number)[]

export interface Job {
  id: number
  type: string
  user: string
  /** The argument vector, as a JSON string. */
  command: string
  /** Times are seconds since the epoch. */
  queued_at: number | null
  started_at: number | null
  finished_at: number | null
  duration: number | null
  /** Negative: the signal that ended it. */
  exit_status: number | null
  status: { status: string | null; progress: Progress | null }
  data: Record<string, unknown>
  running: boolean
  orphaned: boolean
  interaction: Interaction | null
  state: JobState
  /** Null for jobs that have not ended, rejected jobs, and jobs of older versions. */
  outcome: Outcome | null
  /** Who answered, stopped or cancelled it, if that ended it. */
  outcome_by: string | null
  /** The status at the time of its failure. */
  phase: string | null
  /** The last line that looks like an error, and its record. Never a sensitive one. */
  last_error: { recno: number; line: string } | null
  /** How it ended, in words. Null if it simply succeeded. */
  reason: string | null
  /** Since when it has had no output for unusually long without waiting for an answer. */
  quiet_since: number | null
  /** A warning about a running job: it has asked a question that cannot be shown. */
  warning: string | null
  /** Why the last stop did not reach all processes, and what to do. */
  stop_refused: string | null
  /** In bytes. Null where the kernel does not count it. */
  memory_peak: number | null
  cpu_seconds: number | null
  cancelled_by: string | null
  params: Record<string, unknown>
  retry_of: number | null
  /** The retries of this job. */
  retries: number[]
  position: number | null
  waiting_for: string | null
  /** It is large, and long values are shortened here. `GET /api/jobs/{id}` has the whole job. */
  truncated?: boolean
}

/** The progress that a job reports. Jobs write it, so any member can be wrong. */
export interface Progress {
  name?: string | null
  totalTasks?: number | null
  tasksInFlight?: number | null
  tasksFinishedOk?: number | null
  tasksFinishedFailed?: number | null
  tasksFinishedTotal?: number | null
  tasksPercentComplete?: number | null
  tasksRemaining?: number | null
  progressFinished?: boolean | null
}

/** An open prompt. */
export interface Interaction {
  id: number
  job_id: number
  type: 'choices' | 'input_line'
  prompt: string
  /** Label → code, in display order. */
  choices: Record<string, string>
  /** The code that an empty answer stands for. */
  default: string | null
  /** Present only if true: the answer is hidden. */
  sensitive?: boolean
}

export interface Lane {
  concurrency: number
  holders: { slot: number; job: number; user: string }[]
  /** In their order: the first is at position 1. */
  waiting: { job: number; waiting_for: string | null }[]
}

export interface Runner {
  up: boolean
  /** Why new jobs are paused. */
  paused: string | null
  started_at: number | null
  program: string | null
  same_configuration: boolean | null
  watching: boolean | null
  lanes: Record<string, Lane>
  problems: string[]
}

export interface Param {
  name: string
  title: string
  help: string | null
  kind: 'string' | 'integer' | 'boolean' | 'choice' | 'gerrit-change'
  many: boolean
  required: boolean
  sensitive: boolean
  allow_dash: boolean
  default: ParamValue | null
  pattern: string | null
  min: number | null
  max: number | null
  choices: string[] | null
  /** The Gerrit of a `gerrit-change`; null if unknown. The API sends it once for all parameters. */
  gerritUrl: string | null
}

export interface JobType {
  name: string
  title: string
  help: string | null
  lane: string
  retry: boolean
  /** Why the type is disabled. */
  disabled_reason: string | null
  params: Param[]
}

/** How users sign in. `none`: everyone is signed in. */
export type SignInMode = 'local' | 'cas' | 'none'

/** The state of the second factor: not required, a code is needed, set-up is needed, or done. */
export type SecondFactorState = 'off' | 'code' | 'enrol' | 'on'

export interface WhoAmI {
  /** Null if nobody is signed in. Then only some of the following members are present. */
  user: string | null
  /** Also present if nobody is signed in. */
  mode?: SignInMode
  /** Present only if nobody is signed in. */
  loginUrl?: string
  /** Present only if nobody is signed in: why the session ended. Null if there was none. */
  reason?: string | null
  secondFactor?: SecondFactorState
  /** Whether the user can at least view. */
  isAuthorized?: boolean
  /** Whether the user can start, answer and stop jobs. The groups of a job type decide which ones. */
  mayStart?: boolean
  /** The declared job types, by name: their groups, and whether the user can answer and stop their jobs. */
  jobTypes?: Record<string, { groups: string[]; mayAnswer: boolean }>
  isAdmin?: boolean
  groups?: string[]
}

export interface SignedIn {
  message: string
  user: string
  secondFactor: SecondFactorState
}

export interface SecondFactor {
  enrolled: boolean
  /** Whether it is required for all users. */
  required: boolean
  recovery_codes_left: number
}

/** A second factor that is being set up. */
export interface Enrolment {
  /** Base32, in groups of four. */
  secret: string
  /** `otpauth://totp/…` */
  uri: string
  /** The QR code of `uri`: rows of `0` (light) and `1` (dark), without the quiet zone. */
  qr: string[]
}

/** New recovery codes. The API sends them once. */
export interface RecoveryCodes {
  message: string
  recovery_codes: string[]
}

/** A session in one browser. */
export interface BrowserSession {
  id: string
  /** Whether it is the session of this page. */
  current: boolean
  /** Times are seconds since the epoch. */
  created: number
  last_seen: number
  expires: number
  address: string
  user_agent: string | null
}

/** A token with which a program acts as a user. */
export interface Token {
  id: string
  /** The user of the token. */
  user: string
  name: string
  /** `read`, `answer`, `answer:` or `start:` and a job type. */
  scopes: string[]
  created: number
  expires: number
}

/** A user with an account, a second factor or a session. */
export interface User {
  user: string
  groups: string[]
  /** Null where accounts are managed elsewhere. */
  disabled: boolean | null
  enrolled: boolean
  recovery_codes_left: number
  sessions: number
  last_seen: number | null
}

/** An entry of the audit trail. */
export interface AuditEntry {
  /** Counts from 1. */
  n: number
  /** In RFC 3339 notation. */
  time: string
  event: string
  user: string | null
  /** An IP address, `unix` or `host`. */
  address: string
  request: string | null
  details: Record<string, unknown>
}

export interface AuditPage {
  entries: AuditEntry[]
  /** Whether there may be older ones. */
  more: boolean
  next: number | null
}

export interface JobList {
  jobs: Job[]
  /** How many jobs match the filter. */
  total: number
  /** Whether the API had time to look at all jobs. */
  complete: boolean
  /** Whether there are fewer jobs than requested, as they are large. The next page has the others. */
  cut?: boolean
}

export interface DryRun {
  message: string
  type: string
  lane: string
  command: string[]
  params: Record<string, unknown>
  working_directory: string
}

/** A record of a log, as it is stored. */
export type LogRecord = { recno: number; time?: string } & (
  | ({ type: 'line'; line: string } & LineFlags)
  | { type: 'status'; status: string | null }
  | { type: 'progress'; progress: Progress }
  | { type: 'interaction'; id: number; kind: Interaction['type']; prompt: string }
  | { type: 'response'; user: string; response: string; interaction?: number }
  | { type: 'signal'; user: string; signal: string }
  | { type: 'note'; note: string }
  | { type: 'exit'; status: number | null; signal: number | null }
  /** A line of the log that cannot be read. */
  | { type: 'damaged' }
)

/** Present only if true. */
export interface LineFlags {
  sensitive?: boolean
  /** Longer than 64 KiB: it continues in the next piece. */
  continued?: boolean
  /** It had no end yet when it was stored. */
  partial?: boolean
  /** It continues the previous piece. */
  continues?: boolean
  /** It replaces the previous text of the line. */
  rewrites?: boolean
}

export interface LogWindow {
  records: LogRecord[]
  /** How many records the log has now. */
  total: number
  /** The number of the first record of the window. */
  from: number
  /** The number of the first record after it. */
  next: number
  /** How many sensitive records are hidden. */
  hidden: number
}

/** A jump target in a log: a record that is not output, or a line that looks like an error. */
export type LogMark = Exclude<LogRecord, { type: 'line' | 'progress' | 'damaged' }> | LogErrorMark

export interface LogErrorMark {
  recno: number
  time?: string
  type: 'error'
}

/** The length of a job's log. */
export interface LogExtent {
  id: number
  records: number
  /** Whether the log is complete, as the job has ended. */
  complete: boolean
}

const FINAL: ReadonlySet<JobState> = new Set(['succeeded', 'failed', 'cancelled', 'lost', 'rejected'])

/** Whether a job in this state has ended. */
export function isFinal(state: JobState): boolean {
  return FINAL.has(state)
}

/** A change as Gerrit has it now. */
export interface Change {
  number: number
  project: string
  branch: string
  subject: string
  status: 'NEW' | 'MERGED' | 'ABANDONED'
  owner: string | null
  url: string
  /** Gerrit's lists of the changes of the project, and of its branch. */
  repoQueryUrl: string
  branchQueryUrl: string
}

/** The result of looking up a change. */
export interface Lookup {
  /** The requested text: a number, or an address. */
  input: string
  change: Change | null
  /** Why there is no change. */
  problem: string | null
}

/** A finding of the change check. */
export interface Finding {
  code: string
  message: string
  /** The change that it is about, and its address. */
  change: number | null
  url: string | null
  /** The job that it is about. */
  job: number | null
}

/** The result of the change check. */
export interface Preflight {
  /** Whether there are no blockers. */
  ready: boolean
  /** Why Gerrit could not be asked. */
  problem: string | null
  changes: { input: string; change: Change | null; blockers: Finding[]; warnings: Finding[] }[]
}

/** A change in the `data` of a job, from when the job was started. Jobs can write anything into `data`. */
export interface ChangeInfo {
  number: number
  subject: string
  project: string
  branch: string
  commit_msg: string
  url: string
  repoQueryUrl: string
  branchQueryUrl: string
  /** Texts, escaped for HTML, and links. */
  linkifiedCommitMsg: (string | { type: 'link'; href: string; text: string })[]
}

/** The status of the train: groups of wikis get a new version of MediaWiki, one after the other. */
export interface TrainStatus {
  /** In the order of their promotion. */
  groups: TrainGroup[]
  /** The version that is being deployed, and the one that it replaces, if known. */
  version: string
  oldVersion: string | null
  /** The last promoted group; null if there is none. */
  atGroup: string | null
  /** Wiki → the version that it runs. */
  wikiVersions: Record<string, string>
  wikiCount: number
  /** The task of this train, such as `T413792`. */
  task: string | null
  taskUrl: string | null
  taskStatus: string | null
  taskReleaseDate: string | null
  taskVersion: string | null
  warnings: string[]
  /** The time of the report, in seconds since the epoch. */
  time: number | null
}

export interface TrainGroup {
  name: string
  versions: string[]
  /** A wiki in several groups belongs to the first of them. */
  wikis: string[]
  hasRolled: boolean
}

/** The name of the job type that moves the train. It has its own page. */
export const TRAIN = 'train'

/** A move of the train: the wikis of the groups up to this one will run `version`, and all others `oldVersion`. */
export interface TrainMove {
  group: string
  version: string
  oldVersion: string
  /** These wikis will run `oldVersion`, whatever their group. */
  excludedWikis: string[]
}

/** The errors that MediaWiki logs. */
export interface MediaWikiErrors {
  /** A message for people, also about missing or old data. */
  message: string
  /** The problem of the last report. */
  problem: string | null
  /** By message. */
  log: Record<string, { count: number; versions: string[] }>
  /** The number of all errors, including those of unlisted messages. */
  total: number | null
  /** The time of the report, in seconds since the epoch; null if there is none. */
  time: number | null
}

/** What other programs have reported. Null: nothing. */
export interface Monitoring {
  train: { time: number } | null
  mediawiki: { time: number; total: number } | null
}
