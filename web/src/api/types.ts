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

/** How a job ended, for people: `state` only tells an exit status of 0 from others. */
export type Outcome =
  | 'succeeded'
  /** Somebody answered a question in a way that ended it. */
  | 'cancelled_at_prompt'
  | 'rolled_back'
  | 'failed'
  /** By a person, while it ran. */
  | 'stopped'
  /** By a signal that nobody sent here. */
  | 'killed'
  | 'timed_out'
  /** Its command could not be executed. */
  | 'not_started'
  /** Before its command was started. */
  | 'cancelled'
  | 'lost'

/** A parameter's value: one, or a list where the parameter takes many. */
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
  /** Null while it has not ended, for jobs that were rejected, and for those of versions that did not know it. */
  outcome: Outcome | null
  /** Who answered, stopped or cancelled, if that made it end. */
  outcome_by: string | null
  /** The status text in force when it ended badly. */
  phase: string | null
  /** The last line that looks like an error, and its record. Never a sensitive one. */
  last_error: { recno: number; line: string } | null
  /** How it ended, in a sentence for people. Null if it simply succeeded. */
  reason: string | null
  /** Since when a job has printed nothing that is not expected to be silent for so long, and waits for nobody. */
  quiet_since: number | null
  /** What people must know of a job that runs: it has asked something that cannot be shown. */
  warning: string | null
  /** Why the last stop did not reach all of the job, and what to do. */
  stop_refused: string | null
  /** In bytes. Null where the kernel does not count it. */
  memory_peak: number | null
  cpu_seconds: number | null
  cancelled_by: string | null
  params: Record<string, unknown>
  retry_of: number | null
  /** The jobs that tried it again. */
  retries: number[]
  position: number | null
  waiting_for: string | null
  /** It is large: long values are cut, and only who asks for this one job is told all of it. */
  truncated?: boolean
}

/** What a job reports of its progress. Jobs write it, so nothing in it is certain. */
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
  /** Label → code, in the order in which to show them. */
  choices: Record<string, string>
  /** The code that an empty answer stands for. */
  default: string | null
  /** There only if true: the answer is hidden from people. */
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
  /** Why no new job starts. */
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
  /** Where the changes of a `gerrit-change` are; null if that is not known. The API says it once for all of them. */
  gerritUrl: string | null
}

export interface JobType {
  name: string
  title: string
  help: string | null
  lane: string
  retry: boolean
  /** Why none can be started now. */
  disabled_reason: string | null
  params: Param[]
}

/** How people sign in here. `none`: everybody is signed in. */
export type SignInMode = 'local' | 'cas' | 'none'

/**
 * How it stands with somebody's second factor: none is wanted, a code is wanted now, one has to be set up now, or it was
 * given.
 */
export type SecondFactorState = 'off' | 'code' | 'enrol' | 'on'

export interface WhoAmI {
  /** Null: nobody is signed in, and of what follows there is only what is said of that. */
  user: string | null
  /** Also if nobody is signed in. */
  mode?: SignInMode
  /** Only if nobody is signed in. */
  loginUrl?: string
  /** Only if nobody is signed in: why not any more. Null if nobody was. */
  reason?: string | null
  secondFactor?: SecondFactorState
  /** May look at least. */
  isAuthorized?: boolean
  /** May start jobs, answer prompts and stop jobs; which ones the groups of a job type decide. */
  mayStart?: boolean
  /** The declared job types, by name: whom they are for, and whether this person may answer and stop their jobs. */
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
  /** Whether nobody may do without. */
  required: boolean
  recovery_codes_left: number
}

/** A second factor that is not confirmed yet. */
export interface Enrolment {
  /** Base32, in groups of four. */
  secret: string
  /** `otpauth://totp/…` */
  uri: string
  /** The QR code of the address: rows of `0` and `1`, which is dark. Without its quiet zone. */
  qr: string[]
}

/** Recovery codes are told this once. */
export interface RecoveryCodes {
  message: string
  recovery_codes: string[]
}

/** Somebody signed in, in one browser. */
export interface BrowserSession {
  id: string
  /** Whether it is that of this page. */
  current: boolean
  /** Times are seconds since the epoch. */
  created: number
  last_seen: number
  expires: number
  address: string
  user_agent: string | null
}

/** Lets a program in, as the one who has it. */
export interface Token {
  id: string
  /** Who acts by it. */
  user: string
  name: string
  /** `read`, `answer`, `answer:` or `start:` and a job type. */
  scopes: string[]
  created: number
  expires: number
}

/** Who has an account, a second factor or a session. */
export interface User {
  user: string
  groups: string[]
  /** Null where accounts are not kept here. */
  disabled: boolean | null
  enrolled: boolean
  recovery_codes_left: number
  sessions: number
  last_seen: number | null
}

/** Something that was done, as it stands in the audit log. */
export interface AuditEntry {
  /** Counts from 1. */
  n: number
  /** In the notation of RFC 3339. */
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
  /** How many pass the filter. */
  total: number
  /** Whether there was time to look at all jobs for it. */
  complete: boolean
  /** Fewer than asked for, as they are large: the others come before the last one. */
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
  /** A line of the log that is no record. */
  | { type: 'damaged' }
)

/** There only if true. */
export interface LineFlags {
  sensitive?: boolean
  /** Longer than 64 KiB: goes on in the next piece. */
  continued?: boolean
  /** Had no end yet when it was stored. */
  partial?: boolean
  /** Goes on from the piece before. */
  continues?: boolean
  /** Replaces what the line showed before. */
  rewrites?: boolean
}

export interface LogWindow {
  records: LogRecord[]
  /** How many records the log has now. */
  total: number
  /** The number of the first record of the window. */
  from: number
  /** The number of the first record behind it. */
  next: number
  /** How many sensitive records are left out. */
  hidden: number
}

/** Something in a log to jump to: a record that is no output, or the place of a line that looks like an error. */
export type LogMark = Exclude<LogRecord, { type: 'line' | 'progress' | 'damaged' }> | LogErrorMark

export interface LogErrorMark {
  recno: number
  time?: string
  type: 'error'
}

/** How far the log of a job is. */
export interface LogExtent {
  id: number
  records: number
  /** The job has ended, and its log will not grow any more. */
  complete: boolean
}

const FINAL: ReadonlySet<JobState> = new Set(['succeeded', 'failed', 'cancelled', 'lost', 'rejected'])

/** Whether a job in this state will not change any more. */
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
  /** Where Gerrit lists the changes of the project, and of its branch. */
  repoQueryUrl: string
  branchQueryUrl: string
}

/** What is known of a change that somebody named. */
export interface Lookup {
  /** As it was asked for: a number, or an address. */
  input: string
  change: Change | null
  /** Why there is none, in words. */
  problem: string | null
}

/** Something that speaks against the start of a job, or that somebody should look at before. */
export interface Finding {
  code: string
  message: string
  /** Another change that it is about, and where that is. */
  change: number | null
  url: string | null
  /** The job that it is about. */
  job: number | null
}

/** What was found out about the changes of a job before it is started. */
export interface Preflight {
  /** No problems found. */
  ready: boolean
  /** Why Gerrit could not be asked. */
  problem: string | null
  changes: { input: string; change: Change | null; blockers: Finding[]; warnings: Finding[] }[]
}

/** A change as Gerrit had it when the job was started; of the members of a job's `data`, which jobs may write. */
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

/** How far the train is: groups of wikis, one after the other, get a new version of MediaWiki. */
export interface TrainStatus {
  /** In the order in which they get it. */
  groups: TrainGroup[]
  /** The version that is being deployed, and the one that it replaces, if that is known. */
  version: string
  oldVersion: string | null
  /** The last group that has it; null if none has. */
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
  /** When it was so, in seconds since the epoch. */
  time: number | null
}

export interface TrainGroup {
  name: string
  versions: string[]
  /** A wiki that several groups name counts for the first of them. */
  wikis: string[]
  hasRolled: boolean
}

/** The name of the job type that moves the train: it has a page of its own. */
export const TRAIN = 'train'

/** What the train is to do: the wikis of the groups up to this one are to run `version`, all others `oldVersion`. */
export interface TrainMove {
  group: string
  version: string
  oldVersion: string
  /** They are to run `oldVersion`, whatever their group. */
  excludedWikis: string[]
}

/** The errors that MediaWiki logs. */
export interface MediaWikiErrors {
  /** What they are, or why there are none or only old ones. */
  message: string
  /** What is wrong with what was reported last. */
  problem: string | null
  /** By their text. */
  log: Record<string, { count: number; versions: string[] }>
  /** How many errors there are, those of messages that are not listed included. */
  total: number | null
  /** When it was so, in seconds since the epoch; null if nothing is known. */
  time: number | null
}

/** What there is of what other programs report. Null: nothing. */
export interface Monitoring {
  train: { time: number } | null
  mediawiki: { time: number; total: number } | null
}
