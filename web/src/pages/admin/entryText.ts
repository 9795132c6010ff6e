import type { AuditEntry } from '@/api/types.ts'
import { entriesOf, type Entry } from '@/job/data.ts'

/** An entry of the audit trail for people: `alice` `answered a question of` `job 4`, and the rest. */
export interface EntryText {
  words: string
  /** The job that the words go on with. */
  job: number | null
  /** The details that are not in the words. */
  details: Entry[]
}

/** Details of an entry, and which of them the words have. */
class Details {
  readonly used = new Set<string>()
  constructor(readonly all: Readonly<Record<string, unknown>>) {}

  /** A text, which the words have from now on. Null if it is none. */
  take(name: string): string | null {
    const value = this.all[name]
    if (typeof value !== 'string' || value === '') {
      return null
    }
    this.used.add(name)
    return value
  }

  /** The words for a text, which have it from now on, if it is one that they are for. */
  choose(name: string, words: readonly (readonly [text: string, words: string])[], otherwise: string): string {
    const found = words.find(([text]) => text === this.all[name])
    if (found === undefined) {
      return otherwise
    }
    this.used.add(name)
    return found[1]
  }

  /** The number of a job, which the words have from now on. */
  takeJob(): number | null {
    const { job } = this.all
    if (typeof job !== 'number' || !Number.isSafeInteger(job) || job <= 0) {
      return null
    }
    this.used.add('job')
    return job
  }
}

/** How an event is told: of whom it says that they did it is said before. */
interface EventText {
  words: (details: Details, user: string | null) => string
  /** The words go on with a job. */
  hasJob?: true
}

/** Whose something is: ` of bob`, or nothing if it is their own. */
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

/** Says what an entry tells. Its details may be anything: other versions write them, and strangers fill them. */
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

/** What people call the details. */
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

/** An identifier of a question is its job's number times this, and its own number. */
const QUESTIONS = 1_000_000

function forPeople({ name, text, isNested }: Entry): Entry {
  const isQuestion = name === 'interaction' && /^\d+$/.test(text)
  return { name: NAMES.get(name) ?? name, text: isQuestion ? String(Number(text) % QUESTIONS) : text, isNested }
}
