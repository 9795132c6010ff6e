import type { StatusType } from '@wikimedia/codex'
import { cdxIconCancel, cdxIconClock, cdxIconEllipsis, cdxIconPlay, type Icon } from '@wikimedia/codex-icons'

import { isFinal, type Job, type JobState, type Outcome } from '@/api/types.ts'

/** How a job is, for people: a word and a shape, so that nothing depends on a colour. */
export interface Look {
  word: string
  status: StatusType
  /** Of a notice. The others have the shape of their status. */
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

/** Green is only what did what it was started for. */
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

/** How a job is to be shown: by its outcome, and by its state as long as it has none. */
export function lookOf({ state, outcome }: Pick<Job, 'state' | 'outcome'>): Look {
  if (outcome === null) {
    return STATE_LOOKS[state]
  }
  // A page that was not loaded anew since an upgrade meets words that it does not know.
  const look = (OUTCOME_LOOKS as Partial<Record<string, Look>>)[outcome]
  return look ?? { word: outcome.replaceAll('_', ' '), icon: cdxIconEllipsis, status: 'notice' }
}

/** All states, in the order of a job's life. */
export const STATES = Object.keys(STATE_LOOKS) as JobState[]

/** The states in which a job has ended. */
export const FINAL_STATES = STATES.filter(isFinal)

/** All outcomes, those that are met most first. */
export const OUTCOMES = Object.keys(OUTCOME_LOOKS) as Outcome[]

/**
 * How a job ended, beside the word for it: `exit status 3, in the phase “Syncing”`, `stopped by alice`. Null while it runs, and
 * if there is no more to say.
 */
export function endOf({ reason, exit_status, outcome_by, phase }: Job): string | null {
  const end = reason ?? exitOf(exit_status)
  const isSaid = (part: string) => end?.includes(part) ?? false
  const by = outcome_by && !isSaid(outcome_by) ? `by ${outcome_by}` : null
  const during = phase && !isSaid(PHASE) ? `${PHASE}${phase}”` : null
  const parts = [end, by, during].filter((part) => part !== null)
  return parts.length > 0 ? parts.join(', ') : null
}

/** How a reason speaks of a phase. */
const PHASE = 'in the phase “'

function exitOf(status: number | null): string | null {
  if (status === null || status === 0) {
    return null
  }
  return status < 0 ? `ended by signal ${-status}` : `exit status ${status}`
}

/** What there is to say of a job that prints nothing. */
export const MAY_HANG = 'It may be stuck. SpiderPig did not stop it.'
