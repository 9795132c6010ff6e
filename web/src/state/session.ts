import { computed, inject, readonly, shallowRef, type App, type InjectionKey, type ShallowRef } from 'vue'

import { api, type ApiError } from '@/api/client.ts'
import { Retry } from '@/api/retry.ts'
import type { JobType, WhoAmI } from '@/api/types.ts'

/** A refusal so soon after the API said that this person is let in is believed, in milliseconds. */
const DOUBT = 10_000

/** How far somebody is let in: not at all, up to their second factor, as one who may not use SpiderPig, or in. */
export type Access = 'unknown' | 'signed out' | 'code' | 'enrol' | 'unauthorized' | 'granted'

export function accessOf(who: WhoAmI | null): Access {
  if (who === null) {
    return 'unknown'
  }
  if (who.user === null) {
    return 'signed out'
  }
  if (who.secondFactor === 'code' || who.secondFactor === 'enrol') {
    return who.secondFactor
  }
  return who.isAuthorized === true ? 'granted' : 'unauthorized'
}

/** What to say to a viewer where others can start, answer or stop something. */
export const LOOK_ONLY = 'You can view jobs, but not start or answer them.'

const NOT_DECLARED = 'View only: this job type is no longer in the configuration, so only admins can act on its jobs.'

/** Why somebody is not let in any more, if nobody has said it. */
const ACCESS_LOST: Record<Exclude<Access, 'granted' | 'unknown'>, string> = {
  'signed out': 'Your session has ended',
  code: 'Enter a code from your authenticator app',
  enrol: 'Set up a second factor to continue',
  unauthorized: 'You are no longer in a group that has access to SpiderPig',
}

/**
 * Who uses this page, how far they are let in, and what they may start. It is asked for when the page is loaded, and when
 * that may have changed.
 *
 * Who was in and is not any more keeps what they see, and what they have typed, until they go elsewhere by themselves:
 * that is a lapse.
 */
export class Session {
  readonly #who = shallowRef<WhoAmI | null>(null)
  readonly #latest = shallowRef<WhoAmI | null>(null)
  readonly #accessLost = shallowRef<string | null>(null)
  readonly #jobTypes = shallowRef<JobType[] | null>(null)
  readonly #titles = shallowRef<Record<string, string>>({})
  #attempts = 0
  readonly #retry = new Retry(() => void this.refresh())
  readonly #confirmations = shallowRef(0)
  /** What the API said when it refused something, until it is known what that means. */
  #refusal: string | null = null
  #confirmedAt = -Infinity
  #tellKnown: () => void = () => undefined

  /** Null until it is known. In a lapse it is who this was. */
  readonly who: Readonly<ShallowRef<WhoAmI | null>> = this.#who
  /** How far this person is let in now, as was heard last. */
  readonly access = computed(() => accessOf(this.#latest.value))
  /** Why this person is not let in any more, although the page still shows what they saw. */
  readonly accessLost = readonly(this.#accessLost)
  readonly hasAccess = computed(() => this.access.value === 'granted' && this.accessLost.value === null)
  /** Sees what is inside: is let in, or was until a moment ago. */
  readonly hadAccess = computed(() => accessOf(this.#who.value) === 'granted')
  /** How often this person was let in after all when something had been refused, as another tab had signed in. */
  readonly confirmations = readonly(this.#confirmations)
  /** May start, answer and stop. */
  readonly mayStart = computed(() => this.#who.value?.mayStart === true)
  /** May also pause, and look after the others. */
  readonly isAdmin = computed(() => this.#who.value?.isAdmin === true)
  /** Null until they are known; in the order of the configuration. */
  readonly jobTypes = readonly(this.#jobTypes)
  /** Why all this could not be asked for, the last time. */
  readonly problem = this.#retry.problem
  /** When it is asked for again by itself: see `Retry`. */
  readonly retryAt = this.#retry.at
  /** As soon as it is known how far this person is let in. */
  readonly known = new Promise<void>((resolve) => (this.#tellKnown = resolve))

  /** Asks again, until there is an answer. What an attempt finds out counts only if there is no later one. */
  async refresh(): Promise<void> {
    this.#attempts += 1
    const attempt = this.#attempts
    const isLast = () => attempt === this.#attempts
    try {
      const who = await api.whoami()
      if (isLast()) {
        this.#learn(who)
      }
      const answer = accessOf(who) === 'granted' && isLast() ? await api.jobTypes() : null
      if (isLast()) {
        this.#jobTypes.value = answer?.jobTypes ?? this.#jobTypes.value
        this.#titles.value = answer?.titles ?? this.#titles.value
        this.#retry.succeeded()
      }
    } catch (error) {
      if (isLast()) {
        this.#retry.failed(error)
      }
    }
  }

  /** The API did not let this person in: finds out what that means. */
  async refused({ message }: ApiError): Promise<void> {
    if (!this.hasAccess.value || this.#refusal !== null) {
      return
    }
    if (Date.now() - this.#confirmedAt < DOUBT) {
      this.#accessLost.value = message
      return
    }
    this.#refusal = message
    await this.refresh()
  }

  /** This person leaves what they saw, to sign in again or not. */
  leave(): void {
    this.#accessLost.value = null
    if (!this.hasAccess.value) {
      this.#who.value = this.#latest.value
      this.#jobTypes.value = null
    }
  }

  /** This person has signed out. */
  end(): void {
    this.#attempts += 1
    this.#refusal = null
    this.#retry.stop()
    const { mode, loginUrl } = this.#latest.value ?? {}
    this.#latest.value = { user: null, ...(mode && { mode }), ...(loginUrl && { loginUrl }) }
    this.leave()
  }

  /** What people call a job type; one that is not declared any more has only its name. */
  titleOf(type: string): string {
    return this.#titles.value[type] ?? type
  }

  jobType(name: string): JobType | undefined {
    return this.#jobTypes.value?.find((type) => type.name === name)
  }

  /** Why this person may not answer, stop or start again the jobs of a type, nor see their sensitive lines; null if they may. */
  lookOnly(type: string): string | null {
    if (!this.mayStart.value) {
      return LOOK_ONLY
    }
    const jobTypes = this.#who.value?.jobTypes
    const guard = jobTypes?.[type]
    if (guard === undefined) {
      return jobTypes === undefined || this.isAdmin.value ? null : NOT_DECLARED
    }
    return guard.mayAnswer ? null : `View only: jobs of this type are for ${guard.groups.join(', ')}.`
  }

  #learn(who: WhoAmI): void {
    const access = accessOf(who)
    const refusal = this.#refusal
    this.#refusal = null
    this.#latest.value = who
    if (access === 'granted' || access === 'unknown' || !this.hadAccess.value) {
      this.#who.value = who
      this.#accessLost.value = null
    } else {
      this.#accessLost.value = refusal ?? who.reason ?? ACCESS_LOST[access]
    }
    if (access === 'granted' && refusal !== null) {
      this.#confirmedAt = Date.now()
      this.#confirmations.value += 1
    }
    this.#tellKnown()
  }
}

const KEY: InjectionKey<Session> = Symbol('session')

export function provideSession(app: App, session: Session): void {
  app.provide(KEY, session)
}

export function useSession(): Session {
  const session = inject(KEY)
  if (session === undefined) {
    throw new Error('provideSession has not been called')
  }
  return session
}
