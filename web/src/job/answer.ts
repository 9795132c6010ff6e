import { ApiError, reasonOf } from '@/api/client.ts'
import { isFinal, type Interaction, type Job, type LogMark } from '@/api/types.ts'

/**
 * How far an answer is on its way to the job.
 *
 * `open` → `sending` → `sent` → `over`, and back to `open` if it was refused. A question can close at any time: by
 * another answer, by a signal, or with the job.
 */
export type Answering =
  | { at: 'open'; problem: string | null; unsure: boolean }
  /** `closing` is set if the question closed before the API confirmed the answer. */
  | { at: 'sending'; response: string; closing: Closing | null }
  | { at: 'sent'; response: string }
  | { at: 'over'; outcome: Outcome }

/** What the job did when the question closed. */
export type Closing = 'went-on' | 'stopping' | 'ended'

/** The outcome of an answer. */
export type Outcome =
  | { kind: 'delivered'; response: string }
  /** Accepted, and then the job ended or was stopped: the log shows whether it received the answer. */
  | { kind: 'unconfirmed'; response: string; by: 'stopping' | 'ended' }
  | { kind: 'answered-by-other'; user: string; response: string }
  | { kind: 'not-open' }
  /** Sent, but it is unknown whether it arrived. */
  | { kind: 'unknown' }
  | { kind: 'unanswered'; closing: Closing }

/** Who answered what, from the log of the job. */
export interface Logged {
  user: string
  response: string
}

/** The message for an outcome. */
export interface OutcomeMessage {
  type: 'success' | 'notice' | 'warning'
  words: string
}

/** Nothing was sent yet. */
export const OPEN: Answering = { at: 'open', problem: null, unsure: false }

/** The API accepted the answer. If the question closed meanwhile, this decides the outcome. */
export function accepted(answering: Answering): Answering {
  if (answering.at !== 'sending') {
    return answering
  }
  const { response, closing } = answering
  return closing === null ? { at: 'sent', response } : { at: 'over', outcome: outcomeOfSent(response, closing) }
}

/** The API refused the answer, or its result is unknown. `me` is who sent it. */
export function refused(answering: Answering, error: unknown, me: string | null): Answering {
  if (answering.at !== 'sending') {
    return answering
  }
  const { response, closing } = answering
  const status = error instanceof ApiError ? error.status : null
  const first = status === 409 ? firstOf(error as ApiError) : null
  if (first !== null) {
    // An answer that is sent again, because the first attempt was not confirmed, meets itself here.
    const isMine = first.user === me && (first.response === response || first.response === HIDDEN)
    return isMine ? accepted(answering) : { at: 'over', outcome: { kind: 'answered-by-other', ...first } }
  }
  if (status === 404) {
    return { at: 'over', outcome: { kind: 'not-open' } }
  }
  const unsure = status === 0
  if (closing !== null) {
    return { at: 'over', outcome: unsure ? { kind: 'unknown' } : { kind: 'unanswered', closing } }
  }
  return { at: 'open', problem: unsure ? UNSURE : reasonOf(error), unsure }
}

/** What the API shows instead of a hidden answer. */
const HIDDEN = '•••'

const UNSURE =
  'SpiderPig did not confirm your answer, so it may not have arrived. You can safely send it again: only the first ' +
  'answer counts.'

/** The question has closed. */
export function closed(answering: Answering, closing: Closing): Answering {
  switch (answering.at) {
    case 'open':
      return { at: 'over', outcome: answering.unsure ? { kind: 'unknown' } : { kind: 'unanswered', closing } }
    case 'sending':
      return { ...answering, closing }
    case 'sent':
      return { at: 'over', outcome: outcomeOfSent(answering.response, closing) }
    case 'over':
      return answering
  }
}

/** Why a question has closed, judged by the job's state. */
export function closingOf(job: Job): Closing {
  if (isFinal(job.state)) {
    return 'ended'
  }
  return job.state === 'stopping' ? 'stopping' : 'went-on'
}

function outcomeOfSent(response: string, closing: Closing): Outcome {
  return closing === 'went-on' ? { kind: 'delivered', response } : { kind: 'unconfirmed', response, by: closing }
}

/** The first answer, from the fields of a refusal. */
function firstOf({ fields: { responded_by: user, response } }: ApiError): Logged | null {
  return typeof user === 'string' && typeof response === 'string' ? { user, response } : null
}

/** Whether the outcome needs no attention, so that its message goes away by itself. */
export function isSettled(outcome: Outcome): boolean {
  return outcome.kind === 'delivered' || outcome.kind === 'unanswered'
}

/** The message for an outcome. The log is certain, so it wins over the conclusion. */
export function describeOutcome(
  outcome: Outcome,
  question: Interaction,
  logged: Logged | null,
  me: string | null,
): OutcomeMessage {
  const name = (response: string): string => answerName(question, response)
  if (logged !== null && outcome.kind !== 'answered-by-other') {
    const isMine = logged.user === me
    const words = isMine
      ? `You answered ${name(logged.response)}. Delivered.`
      : `${logged.user} answered ${name(logged.response)}.`
    return { type: isMine ? 'success' : 'notice', words }
  }
  switch (outcome.kind) {
    case 'delivered':
      return { type: 'success', words: `You answered ${name(outcome.response)}. Delivered.` }
    case 'unconfirmed':
      return outcome.by === 'ended'
        ? { type: 'notice', words: `You answered ${name(outcome.response)}, and the job has ended.` }
        : {
            type: 'warning',
            words: `You answered ${name(outcome.response)}, but the job is being stopped. Its log shows whether it received the answer.`,
          }
    case 'answered-by-other':
      return {
        type: 'warning',
        words: `${outcome.user} answered ${name(outcome.response)} first. Your answer does not count.`,
      }
    case 'not-open':
      return { type: 'warning', words: 'This question is no longer open. Your answer does not count.' }
    case 'unknown':
      return {
        type: 'warning',
        words: 'The question is closed. The log shows who answered it.',
      }
    case 'unanswered':
      return { type: 'notice', words: UNANSWERED[outcome.closing] }
  }
}

const UNANSWERED: Record<Closing, string> = {
  'went-on': 'Somebody else answered the question.',
  stopping: 'The question is closed because the job is being stopped.',
  ended: 'The question is closed because the job has ended.',
}

/** The label of an answer: `“Roll back”`. An empty answer stands for the default, if there is one. */
export function answerName(question: Interaction, response: string): string {
  if (question.sensitive) {
    return 'with a hidden value'
  }
  const code = response === '' && question.default !== null ? question.default : response
  const label = Object.entries(question.choices).find(([, its]) => its === code)?.[0] ?? code
  return label === '' ? 'with an empty line' : `“${label}”`
}

/** The API's number of a prompt is the number of its job times this, plus its own number. */
const PROMPTS_PER_JOB = 1_000_000

/** Who answered a question, if the known marks contain it. */
export function answerIn(marks: readonly LogMark[], question: Interaction): Logged | null {
  const number = question.id % PROMPTS_PER_JOB
  const found = marks.findLast((mark) => mark.type === 'response' && mark.interaction === number)
  return found?.type === 'response' ? { user: found.user, response: found.response } : null
}
