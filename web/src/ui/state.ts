import type { StatusType } from '@wikimedia/codex'
import {
  cdxIconAlert,
  cdxIconCancel,
  cdxIconClock,
  cdxIconError,
  cdxIconHelp,
  cdxIconEllipsis,
  cdxIconPlay,
  cdxIconQuotes,
  cdxIconStop,
  cdxIconSuccess,
  type Icon,
} from '@wikimedia/codex-icons'

import type { Job, JobState } from '@/api/types.ts'

/** How a state is shown: a word and a shape, so that nothing depends on a colour. */
export interface Look {
  word: string
  icon: Icon
  status: StatusType
}

const LOOKS: Record<JobState, Look> = {
  queued: { word: 'Queued', icon: cdxIconClock, status: 'notice' },
  starting: { word: 'Starting', icon: cdxIconEllipsis, status: 'notice' },
  running: { word: 'Running', icon: cdxIconPlay, status: 'notice' },
  waiting: { word: 'Waiting for an answer', icon: cdxIconQuotes, status: 'warning' },
  stopping: { word: 'Stopping', icon: cdxIconStop, status: 'warning' },
  succeeded: { word: 'Succeeded', icon: cdxIconSuccess, status: 'success' },
  failed: { word: 'Failed', icon: cdxIconError, status: 'error' },
  cancelled: { word: 'Cancelled', icon: cdxIconCancel, status: 'notice' },
  lost: { word: 'Lost: nobody knows how it ended', icon: cdxIconHelp, status: 'error' },
  rejected: { word: 'Rejected', icon: cdxIconAlert, status: 'error' },
}

export function lookOf(state: JobState): Look {
  return LOOKS[state]
}

/** All states, in the order of a job's life. */
export const STATES = Object.keys(LOOKS) as JobState[]

/** How a job ended beside its state: `exit status 3`, `stopped by alice`. Null while it runs, and if there is no more. */
export function endOf(job: Job): string | null {
  if (job.reason !== null) {
    return job.reason
  }
  if (job.exit_status === null || job.exit_status === 0) {
    return null
  }
  return job.exit_status < 0 ? `ended by signal ${-job.exit_status}` : `exit status ${job.exit_status}`
}
