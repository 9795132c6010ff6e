import { inject, readonly, shallowRef, type App, type InjectionKey } from 'vue'

import { api, reasonOf } from '@/api/client.ts'
import type { JobType, WhoAmI } from '@/api/types.ts'

/** What failed is asked for again after so long, in milliseconds. */
const RETRY = 5000

/** Who uses this page, and what they may start. It is asked for when the page is loaded, and when that may have changed. */
export class Session {
  readonly #who = shallowRef<WhoAmI | null>(null)
  readonly #jobTypes = shallowRef<JobType[] | null>(null)
  readonly #problem = shallowRef<string | null>(null)
  #attempts = 0
  #retry: ReturnType<typeof setTimeout> | undefined

  /** Null until it is known. */
  readonly who = readonly(this.#who)
  /** Null until they are known; in the order of the configuration. */
  readonly jobTypes = readonly(this.#jobTypes)
  /** Why the two could not be asked for, the last time. */
  readonly problem = readonly(this.#problem)

  /** Asks again, until there is an answer. What an attempt finds out counts only if there is no later one. */
  async refresh(): Promise<void> {
    clearTimeout(this.#retry)
    this.#attempts += 1
    const attempt = this.#attempts
    try {
      const [who, jobTypes] = await Promise.all([api.whoami(), api.jobTypes()])
      if (attempt === this.#attempts) {
        this.#who.value = who
        this.#jobTypes.value = jobTypes
        this.#problem.value = null
      }
    } catch (error) {
      if (attempt === this.#attempts) {
        this.#problem.value = reasonOf(error)
        this.#retry = setTimeout(() => void this.refresh(), RETRY)
      }
    }
  }

  /** What people call a job type; one that is not declared any more has only its name. */
  titleOf(type: string): string {
    return this.jobType(type)?.title ?? type
  }

  jobType(name: string): JobType | undefined {
    return this.#jobTypes.value?.find((type) => type.name === name)
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
