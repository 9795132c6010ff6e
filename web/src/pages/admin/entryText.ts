import type { AuditEntry } from '@/api/types.ts'
import { entriesOf, type Entry } from '@/job/data.ts'

/** An entry of the audit trail in words: `alice` `answered a question of` `job 4`, and the other details. */
export interface EntryText {
  words: string
  /** The job that follows the words. */
  job: number | null
  /** The details that the words do not mention. */
  details: Entry[]
}

/** The details of an entry, and which of them the words already mention. */
class Details {
  readonly used = new Set<string>()
  constructor(readonly all: Readonly<Record<string, unknown>>) {}

  /** Returns a text and marks it as used. Null if the detail is not a text. */
  take(name: string): string | null {
    const value = this.all[name]
    if (typeof value !== 'string' || value === '') {
      return null
    }
    this.used.add(name)
    return value
  }

  /** Returns the words for a text and marks it as used, if it is one of the known texts. */
  choose(name: string, words: readonly (readonly [text: string, words: string])[], otherwise: string): string {
    const found = words.find(([text]) => text === this.all[name])
    if (found === undefined) {
      return otherwise
    }
    this.used.add(name)
    return found[1]
  }

  /** Returns the number of the job and marks it as used. */
  takeJob(): number | null {
    const { job } = this.all
    if (typeof job !== 'number' || !Number.isSafeInteger(job) || job <= 0) {
      return null
    }
    this.used.add('job')
    return job
  }
}

/** How an event is put into words. They follow the user's name. */
interface EventText {
  words: (details: Details, user: string | null) => string
  /** The words are followed by a job. */
  hasJob?: true
}

/** The owner: ` of bob`, or nothing if it is the user's own. */
function whose(details: Details, user: string | null): string {
  const of = details.take('of')
  return of === null || of === user ? '' : ` of ${of}`
}

const EVENT_TEXTS: ReadonlyMap<string, EventText> = new Map<string, EventText>([
  ['start', { words: () => 'started', hasJob: true }],
  ['answer', { words: () => 'answered a question of', hasJob: true }],
  [
    'signal',
    {
      words: (details) =>
        details.choose(
          'signal',
          [
            ['interrupt', 'stopped'],
            ['kill', 'killed'],
          ],
          'sent a signal to',
        ),
      hasJob: true,
    },
  ],
  ['reveal', { words: () => 'viewed sensitive lines in the log of', hasJob: true }],
  ['pause', { words: () => 'paused the job runner' }],
  ['resume', { words: () => 'resumed the job runner' }],
  ['sign_in', { words: () => 'signed in' }],
  ['sign_in_refused', { words: () => 'could not sign in' }],
  ['second_factor', { words: () => 'entered a code of the second factor' }],
  [
    'second_factor_refused',
    { words: (details) => details.choose('what', [['second factor', 'entered a wrong code']], 'entered a wrong code') },
  ],
  [
    'locked',
    {
      words: (details) =>
        details.choose(
          'what',
          [
            ['password', 'entered too many wrong passwords'],
            ['second factor', 'entered too many wrong codes'],
          ],
          'made too many attempts',
        ),
    },
  ],
  ['refused', { words: () => 'was denied' }],
  ['sign_out', { words: () => 'signed out' }],
  [
    'sessions_ended',
    {
      words: (details, user) =>
        'of' in details.all && details.all.of === null
          ? 'signed everyone out'
          : `ended sessions${whose(details, user)}`,
    },
  ],
  [
    'second_factor_changed',
    {
      words: (details, user) => {
        const verb = details.choose(
          'what',
          [
            ['begun', 'began to set up a second factor'],
            ['enrolled', 'set up the second factor'],
            ['removed', 'removed the second factor'],
            ['recovery_codes', 'got new recovery codes'],
            ['reset', 'reset the second factor'],
            ['shown', 'viewed, on the host, the key of the second factor'],
            ['code_told', 'created, on the host, a code of the second factor'],
          ],
          'changed the second factor',
        )
        return verb + whose(details, user)
      },
    },
  ],
  [
    'account_changed',
    {
      words: (details, user) => {
        const verb = details.choose(
          'what',
          [
            ['added', 'created the account'],
            ['password', 'set the password'],
            ['groups', 'changed the groups'],
            ['disabled', 'disabled the account'],
            ['enabled', 'enabled the account'],
            ['removed', 'removed the account'],
          ],
          'changed the account',
        )
        return verb + whose(details, user)
      },
    },
  ],
  [
    'token_changed',
    {
      words: (details, user) => {
        const verb = details.choose(
          'what',
          [
            ['created', 'created a token'],
            ['revoked', 'revoked a token'],
          ],
          'changed a token',
        )
        return verb + whose(details, user)
      },
    },
  ],
])

/** Puts an entry into words. Its details can be anything: other versions write them, and strangers fill them in. */
export function describeEntry({
  event,
  user,
  details: all,
}: Pick<AuditEntry, 'event' | 'user' | 'details'>): EntryText {
  const details = new Details(all)
  const eventText = EVENT_TEXTS.get(event)
  const job = eventText?.hasJob ? details.takeJob() : null
  const words = eventText?.words(details, user) ?? event
  const others = Object.entries(all).filter(([name, value]) => value !== null && !details.used.has(name))
  return {
    words: eventText?.hasJob && job === null ? `${words} a job` : words,
    job,
    details: entriesOf(Object.fromEntries(others)).map(forPeople),
  }
}

/** Labels of the details. */
const NAMES: ReadonlyMap<string, string> = new Map([
  ['by', 'By'],
  ['expires', 'Expires'],
  ['groups', 'Groups'],
  ['groups_after', 'Groups after'],
  ['groups_before', 'Groups before'],
  ['interaction', 'Question'],
  ['job', 'Job'],
  ['known_user', 'User exists'],
  ['left_out', 'Earlier refusals, not recorded'],
  ['left_out_of_others', 'Refusals of others, not recorded'],
  ['name', 'Name'],
  ['of', 'Of'],
  ['params', 'Parameters'],
  ['reason', 'Reason'],
  ['recovery_codes_left', 'Recovery codes left'],
  ['response', 'Answer'],
  ['retry_of', 'Retry of job'],
  ['scopes', 'Scopes'],
  ['signal', 'Signal'],
  ['token', 'Token'],
  ['type', 'Job type'],
  ['what', 'What'],
])

/** The identifier of a question is the number of its job times this, plus its own number. */
const QUESTIONS = 1_000_000

function forPeople({ name, text, isNested }: Entry): Entry {
  const isQuestion = name === 'interaction' && /^\d+$/.test(text)
  return { name: NAMES.get(name) ?? name, text: isQuestion ? String(Number(text) % QUESTIONS) : text, isNested }
}
