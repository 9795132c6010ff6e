import type { StatusType } from '@wikimedia/codex'
import { cdxIconCancel, cdxIconClock, cdxIconEllipsis, cdxIconPlay, type Icon } from '@wikimedia/codex-icons'

import { isFinal, type Job, type JobState, type Outcome } from '@/api/types.ts'

/** How a state is shown: a word and an icon, so that it does not depend on colour. */
export interface Look {
  word: string
  status: StatusType
  /** The icon of a notice. Other statuses have their own icons. */
  icon?: Icon
}

const STATE_LOOKS: Record<JobState, Look> = {
  queued: { word: 'Queued', icon: cdxIconClock, status: 'notice' },
  starting: { word: 'Starting', icon: cdxIconEllipsis, status: 'notice' },
  running: { word: 'Running', icon: cdxIconPlay, status: 'notice' },
  waiting: { word: 'Waiting for an answer', status: 'warning' },
  stopping: { word: 'Stopping', status: 'warning' },
  succeeded: { word: 'Succeeded', status: 'success' },
  failed: { word: 'Failed', status: 'error' },
  cancelled: { word: 'Cancelled', icon: cdxIconCancel, status: 'notice' },
  lost: { word: 'Lost: outcome unknown', status: 'error' },
  rejected: { word: 'Rejected', status: 'error' },
}

/** Only a job that achieved its goal is green. */
const OUTCOME_LOOKS: Record<Outcome, Look> = {
  succeeded: STATE_LOOKS.succeeded,
  failed: STATE_LOOKS.failed,
  rolled_back: { word: 'Rolled back', status: 'warning' },
  cancelled_at_prompt: { word: 'Cancelled at a prompt', icon: cdxIconCancel, status: 'notice' },
  cancelled: STATE_LOOKS.cancelled,
  stopped: { word: 'Stopped', status: 'warning' },
  killed: { word: 'Killed by a signal', status: 'error' },
  timed_out: { word: 'Timed out', status: 'error' },
  not_started: { word: 'Could not start', status: 'error' },
  lost: STATE_LOOKS.lost,
}

/** How a job is shown: by its outcome, or by its state before it has one. */
export function lookOf({ state, outcome }: Pick<Job, 'state' | 'outcome'>): Look {
  if (outcome === null) {
    return STATE_LOOKS[state]
  }
  // A page from before an upgrade does not know new outcomes.
  const look = (OUTCOME_LOOKS as Partial<Record<string, Look>>)[outcome]
  return look ?? { word: outcome.replaceAll('_', ' '), icon: cdxIconEllipsis, status: 'notice' }
}

/** All states, in the order of a job's life. */
export const STATES = Object.keys(STATE_LOOKS) as JobState[]

/** The states in which a job has ended. */
export const FINAL_STATES = STATES.filter(isFinal)

/** All outcomes, the most frequent first. */
export const OUTCOMES = Object.keys(OUTCOME_LOOKS) as Outcome[]

/**
 * Details of a job's end: `exit status 3, in the phase “Syncing”`, `stopped by alice`. Null while it runs, and if there
 * are none.
 */
export function outcomeDetails({ reason, exit_status, outcome_by, phase }: Job): string | null {
  const end = reason ?? exitOf(exit_status)
  const isSaid = (part: string) => end?.includes(part) ?? false
  const by = outcome_by && !isSaid(outcome_by) ? `by ${outcome_by}` : null
  const during = phase && !isSaid(PHASE) ? `${PHASE}${phase}”` : null
  const parts = [end, by, during].filter((part) => part !== null)
  return parts.length > 0 ? parts.join(', ') : null
}

/** How a reason mentions a phase. */
const PHASE = 'in the phase “'

function exitOf(status: number | null): string | null {
  if (status === null || status === 0) {
    return null
  }
  return status < 0 ? `ended by signal ${-status}` : `exit status ${status}`
}

/** The warning for a job without output. */
export const MAY_BE_STUCK = 'It may be stuck. SpiderPig did not stop it.'
