import { computed, inject, readonly, shallowRef, type App, type InjectionKey, type ShallowRef } from 'vue'

import { api, type ApiError } from '@/api/client.ts'
import { Retry } from '@/api/retry.ts'
import type { JobType, WhoAmI } from '@/api/types.ts'

/** A refusal within this time after a confirmed access is final, in milliseconds. */
const CONFIRMED_FOR = 10_000

/** The user's access: none, up to the second factor, signed in without permission, or granted. */
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

/** The text for viewers where others can start, answer or stop something. */
export const LOOK_ONLY = 'You can view jobs, but not start or answer them.'

const NOT_DECLARED = 'View only: this job type is no longer in the configuration, so only admins can act on its jobs.'

/** Why access was lost, if the API gave no reason. */
const ACCESS_LOST: Record<Exclude<Access, 'granted' | 'unknown'>, string> = {
  'signed out': 'Your session has ended',
  code: 'Enter a code from your authenticator app',
  enrol: 'Set up a second factor to continue',
  unauthorized: 'You are no longer in a group that has access to SpiderPig',
}

/**
 * The user, their access, and the job types that they can start. It is loaded with the page, and again when it may have
 * changed.
 *
 * A user who loses access keeps the page and their input until they navigate: `accessLost` says why.
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
  /** The message of a refusal, until its cause is known. */
  #refusal: string | null = null
  #confirmedAt = -Infinity
  #resolveKnown: () => void = () => undefined

  /** Null until it is known. After access is lost it is the previous user. */
  readonly who: Readonly<ShallowRef<WhoAmI | null>> = this.#who
  /** The latest known access. */
  readonly access = computed(() => accessOf(this.#latest.value))
  /** Why access was lost, while the page still shows its content. Null otherwise. */
  readonly accessLost = readonly(this.#accessLost)
  readonly hasAccess = computed(() => this.access.value === 'granted' && this.accessLost.value === null)
  /** Whether the page shows its content: the user has access, or had it until a moment ago. */
  readonly hadAccess = computed(() => accessOf(this.#who.value) === 'granted')
  /** How often access was confirmed after a refusal, because another tab had signed in. */
  readonly confirmations = readonly(this.#confirmations)
  /** Whether the user can start, answer and stop jobs. */
  readonly mayStart = computed(() => this.#who.value?.mayStart === true)
  /** Whether the user is an admin. */
  readonly isAdmin = computed(() => this.#who.value?.isAdmin === true)
  /** The job types that the user can start, in the order of the configuration. Null until they are known. */
  readonly jobTypes = readonly(this.#jobTypes)
  /** Why the last request failed. */
  readonly problem = this.#retry.problem
  /** When the request is repeated automatically: see `Retry`. */
  readonly retryAt = this.#retry.at
  /** Resolves when the access is known. */
  readonly known = new Promise<void>((resolve) => (this.#resolveKnown = resolve))

  /** Loads the session again, until there is an answer. Only the latest request counts. */
  async refresh(): Promise<void> {
    this.#attempts += 1
    const attempt = this.#attempts
    const isLast = () => attempt === this.#attempts
    try {
      const who = await api.whoami()
      if (isLast()) {
        this.#update(who)
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

  /** The API refused the user: finds out why. */
  async refused({ message }: ApiError): Promise<void> {
    if (!this.hasAccess.value || this.#refusal !== null) {
      return
    }
    if (Date.now() - this.#confirmedAt < CONFIRMED_FOR) {
      this.#accessLost.value = message
      return
    }
    this.#refusal = message
    await this.refresh()
  }

  /** The user leaves the page that was kept. */
  leave(): void {
    this.#accessLost.value = null
    if (!this.hasAccess.value) {
      this.#who.value = this.#latest.value
      this.#jobTypes.value = null
    }
  }

  /** The user has signed out. */
  end(): void {
    this.#attempts += 1
    this.#refusal = null
    this.#retry.stop()
    const { mode, loginUrl } = this.#latest.value ?? {}
    this.#latest.value = { user: null, ...(mode && { mode }), ...(loginUrl && { loginUrl }) }
    this.leave()
  }

  /** The title of a job type; its name if it is no longer declared. */
  titleOf(type: string): string {
    return this.#titles.value[type] ?? type
  }

  jobType(name: string): JobType | undefined {
    return this.#jobTypes.value?.find((type) => type.name === name)
  }

  /** Why the user may not answer, stop or retry jobs of a type, or see their sensitive lines. Null if they may. */
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

  #update(who: WhoAmI): void {
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
    this.#resolveKnown()
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
