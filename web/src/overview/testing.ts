import type { Job, JobType, Lane, Param, Runner } from '@/api/types.ts'

/** For tests: a job that was queued, but for what is different. */
export function job(id: number, different: Partial<Job> = {}): Job {
  return {
    id,
    type: 'backport',
    user: 'alice',
    command: '["true"]',
    queued_at: 1000,
    started_at: null,
    finished_at: null,
    duration: null,
    exit_status: null,
    status: { status: null, progress: null },
    data: {},
    running: false,
    orphaned: false,
    interaction: null,
    state: 'queued',
    outcome: null,
    reason: null,
    cancelled_by: null,
    params: {},
    retry_of: null,
    position: null,
    waiting_for: null,
    ...different,
  }
}

/** For tests: a text of any kind, but for what is different. */
export function param(different: Partial<Param> = {}): Param {
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
    ...different,
  }
}

/** For tests: a job type with these parameters. */
export function jobType(params: Param[] = [], different: Partial<JobType> = {}): JobType {
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

/** For tests: a runner that is up, with these lanes. */
export function runner(lanes: Record<string, Lane> = {}, different: Partial<Runner> = {}): Runner {
  return {
    up: true,
    paused: null,
    started_at: 900,
    program: '0.1.0',
    same_configuration: true,
    watching: true,
    lanes,
    problems: [],
    ...different,
  }
}

/** For tests: a lane where these jobs wait. */
export function lane(...waiting: Lane['waiting']): Lane {
  return { concurrency: 1, holders: [], waiting }
}
