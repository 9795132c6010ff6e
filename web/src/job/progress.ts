import type { Progress } from '@/api/types.ts'

/** The progress of a job as it can be shown. Missing and invalid values are null. */
export interface ShownProgress {
  name: string | null
  /** From 0 to 100. */
  percent: number | null
  ok: number | null
  failed: number | null
  inFlight: number | null
  left: number | null
}

/** Reads the progress that a job reports, which can be anything. Null if nothing of it is valid. */
export function shownProgress(progress: Progress | null): ShownProgress | null {
  if (typeof progress !== 'object' || progress === null) {
    return null
  }
  const ok = count(progress.tasksFinishedOk)
  const failed = count(progress.tasksFinishedFailed)
  const finished = count(progress.tasksFinishedTotal) ?? sum(ok, failed)
  const total = count(progress.totalTasks)
  const shown = {
    name: typeof progress.name === 'string' && progress.name.trim() !== '' ? progress.name.trim() : null,
    percent: percent(progress.tasksPercentComplete) ?? share(finished, total),
    ok,
    failed,
    inFlight: count(progress.tasksInFlight),
    left: count(progress.tasksRemaining),
  }
  return Object.values(shown).every((value) => value === null) ? null : shown
}

function count(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? Math.floor(value) : null
}

function percent(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? Math.min(Math.max(value, 0), 100) : null
}

function share(finished: number | null, total: number | null): number | null {
  return finished === null || total === null || total === 0 ? null : Math.min(finished / total, 1) * 100
}

function sum(ok: number | null, failed: number | null): number | null {
  return ok === null && failed === null ? null : (ok ?? 0) + (failed ?? 0)
}
