import type { Interaction, Job, JobType, Lane, Param, Runner, WhoAmI } from './types.ts'

/** A running job, except for what is given. */
export function aJob(given: Partial<Job> = {}): Job {
  return {
    id: 1,
    type: 'backport',
    user: 'alice',
    command: '["true"]',
    queued_at: 1000,
    started_at: 1001,
    finished_at: null,
    duration: null,
    exit_status: null,
    status: { status: null, progress: null },
    data: {},
    running: true,
    orphaned: false,
    interaction: null,
    state: 'running',
    outcome: null,
    outcome_by: null,
    phase: null,
    last_error: null,
    reason: null,
    quiet_since: null,
    warning: null,
    stop_refused: null,
    memory_peak: null,
    cpu_seconds: null,
    cancelled_by: null,
    params: {},
    retry_of: null,
    retries: [],
    position: null,
    waiting_for: null,
    ...given,
  }
}

/** An open prompt of a job. */
export function aPrompt(given: Partial<Interaction> = {}): Interaction {
  return {
    id: 1_000_001,
    job_id: 1,
    type: 'choices',
    prompt: 'Backport the changes? [y/N]: ',
    choices: { Yes: 'y', No: 'n' },
    default: 'n',
    ...given,
  }
}

/** An idle runner, except for what is given. */
export function aRunner(given: Partial<Runner> = {}): Runner {
  return {
    up: true,
    paused: null,
    started_at: 900,
    program: '0.1.0',
    same_configuration: true,
    watching: true,
    lanes: { default: { concurrency: 1, holders: [], waiting: [] } },
    problems: [],
    ...given,
  }
}

/** A user who may start jobs, except for what is given. */
export function aPerson(given: Partial<WhoAmI> = {}): WhoAmI {
  return {
    user: 'alice',
    mode: 'local',
    secondFactor: 'on',
    isAuthorized: true,
    mayStart: true,
    isAdmin: false,
    groups: ['deployers'],
    ...given,
  }
}

/** A queued job, except for what is different. */
export function aQueuedJob(id: number, different: Partial<Job> = {}): Job {
  return aJob({ id, started_at: null, running: false, state: 'queued', ...different })
}

/** A parameter that takes any text, except for what is different. */
export function aParam(different: Partial<Param> = {}): Param {
  return {
    name: 'word',
    title: 'Word',
    help: null,
    kind: 'string',
    many: false,
    required: false,
    sensitive: false,
    allow_dash: false,
    default: null,
    pattern: null,
    min: null,
    max: null,
    choices: null,
    gerritUrl: null,
    ...different,
  }
}

/** A job type with these parameters. */
export function aJobType(params: Param[] = [], different: Partial<JobType> = {}): JobType {
  return {
    name: 'backport',
    title: 'Backport',
    help: null,
    lane: 'mediawiki',
    retry: true,
    disabled_reason: null,
    params,
    ...different,
  }
}

/** A lane in which these jobs wait. */
export function aLane(...waiting: Lane['waiting']): Lane {
  return { concurrency: 1, holders: [], waiting }
}

/** The API's answer with these job types, all of which the user may start. */
export function declared(jobTypes: JobType[]): { jobTypes: JobType[]; titles: Record<string, string> } {
  return { jobTypes, titles: Object.fromEntries(jobTypes.map(({ name, title }) => [name, title])) }
}
