import type { Job, LogMark } from '@/api/types.ts'
import { isFinal } from '@/api/types.ts'

/** A phase of a job. Times are seconds since the epoch. */
export interface Phase {
  /** `status`: the job reported a status. `answer`: it waited for an answer. `silent`: it reported nothing. */
  kind: 'status' | 'answer' | 'silent'
  /** The status, or a label for the other kinds. */
  name: string
  /** The record that started it. Null for the silent start of a job. */
  recno: number | null
  from: number
  to: number
}

type PhaseStart = Pick<Phase, 'kind' | 'name' | 'recno'>

const ANSWER = 'Waiting for an answer'
const SILENT = 'No status'

/**
 * The phases of a job, from its log: without gaps, from its start to its end, or to `now` while it runs.
 *
 * Waiting for an answer interrupts the current phase. A job that never reported a status has no phases.
 */
export function phasesOf(marks: readonly LogMark[], job: Job, now: number): Phase[] {
  const from = job.started_at ?? timeOf(marks[0])
  if (from === null || !marks.some((mark) => mark.type === 'status' && mark.status !== null)) {
    return []
  }
  const timeline = new Timeline(from)
  for (const mark of marks) {
    timeline.take(mark)
  }
  return timeline.end(isFinal(job.state) ? job.finished_at : now)
}

class Timeline {
  readonly #phases: Phase[] = []
  /** The current status, and whether the job waits for an answer. */
  #status: PhaseStart = { kind: 'silent', name: SILENT, recno: null }
  #wait: { phase: PhaseStart; prompt: number } | null = null
  #now: number
  #hasEnded = false

  constructor(from: number) {
    this.#now = from
  }

  take(mark: LogMark): void {
    if (this.#hasEnded) {
      return
    }
    this.#advance(timeOf(mark))
    const { recno } = mark
    switch (mark.type) {
      case 'status':
        this.#status = mark.status
          ? { kind: 'status', name: mark.status, recno }
          : { kind: 'silent', name: SILENT, recno }
        break
      case 'interaction':
        this.#wait = { phase: { kind: 'answer', name: ANSWER, recno }, prompt: mark.id }
        break
      case 'response':
        if (mark.interaction === undefined || mark.interaction === this.#wait?.prompt) {
          this.#wait = null
        }
        break
      case 'signal':
        this.#wait = null
        break
      case 'exit':
        this.#hasEnded = true
        break
    }
  }

  end(at: number | null): Phase[] {
    if (!this.#hasEnded) {
      this.#advance(at)
    }
    return this.#phases
  }

  /** The current phase lasted until then. Clocks of two machines may differ: time never goes back. */
  #advance(time: number | null): void {
    if (time === null || time <= this.#now) {
      return
    }
    const current = this.#wait?.phase ?? this.#status
    const last = this.#phases.at(-1)
    if (last?.kind === current.kind && last.name === current.name) {
      last.to = time
    } else {
      this.#phases.push({ ...current, from: this.#now, to: time })
    }
    this.#now = time
  }
}

function timeOf(mark: LogMark | undefined): number | null {
  const time = Date.parse(mark?.time ?? '') / 1000
  return Number.isNaN(time) ? null : time
}

/** A part of the bar: usually one phase, or several that are too short to be seen. */
export interface Segment extends Pick<Phase, 'kind' | 'name' | 'recno' | 'from' | 'to'> {
  count: number
  /** True for every other segment with a status, so that neighbours differ. */
  isOdd: boolean
}

/** Joins short phases, so that there are at most about twice `most` segments. */
export function segmentsOf(phases: readonly Phase[], most: number): Segment[] {
  const segments: Segment[] = []
  let isOdd = false
  const shortest = phases.length > most ? total(phases) / most : 0
  for (const phase of phases) {
    const last = segments.at(-1)
    if (last !== undefined && durationOf(last) < shortest && durationOf(phase) < shortest) {
      last.count += 1
      last.kind = 'status'
      last.name = `${last.count} phases`
      last.to = phase.to
    } else {
      isOdd = isOdd !== (phase.kind === 'status')
      segments.push({ ...phase, count: 1, isOdd })
    }
  }
  return segments
}

export function durationOf({ from, to }: Pick<Phase, 'from' | 'to'>): number {
  return to - from
}

export function total(phases: readonly Phase[]): number {
  return phases.reduce((sum, phase) => sum + durationOf(phase), 0)
}
