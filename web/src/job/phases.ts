import type { Job, LogMark } from '@/api/types.ts'
import { isFinal } from '@/api/types.ts'

/** A stretch of a job's time. Times are seconds since the epoch. */
export interface Phase {
  /** `status`: what the job said it did. `answer`: it waited for one. `silent`: it said nothing. */
  kind: 'status' | 'answer' | 'silent'
  /** What the job said; and for the others what they are. */
  name: string
  /** The record with which it began. Null for the silent start of a job. */
  recno: number | null
  from: number
  to: number
}

type PhaseStart = Pick<Phase, 'kind' | 'name' | 'recno'>

const ANSWER = 'Waiting for an answer'
const SILENT = 'No status'

/**
 * Where the time of a job went, from its log: without gaps, from its start to its end, or to `now` while it runs.
 *
 * A wait for an answer interrupts what the job was doing. A job that never told a status has no phases.
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
  /** What the job does, and whether it waits meanwhile. */
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

  /** What has been told until now held until then. The clocks of two machines may differ: time never goes back. */
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

/** A part of the picture: mostly one phase; or several that are each too short to be seen. */
export interface Segment extends Pick<Phase, 'kind' | 'name' | 'recno' | 'from' | 'to'> {
  count: number
  /** Every other one with a status, so that neighbours can be told apart. */
  isOdd: boolean
}

/** Puts short phases together, so that there are at most about twice as many segments as asked for. */
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
