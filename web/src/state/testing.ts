import { mount, type VueWrapper } from '@vue/test-utils'
import { shallowReactive, shallowRef, type Component } from 'vue'
import { createMemoryHistory, createRouter, type Router } from 'vue-router'
import { vi } from 'vitest'

import { api } from '@/api/client.ts'
import type { Connection } from '@/api/events.ts'
import { aPerson, aRunner, declared } from '@/api/testing.ts'
import type { Job, JobType, Runner, WhoAmI } from '@/api/types.ts'

import { provideLive, type Live } from './live.ts'
import { provideSession, Session } from './session.ts'

/** For tests: a live state that the test changes. */
export function fakeLive(jobs: Job[] = []) {
  const listeners: ((job: Job, before: Job | undefined) => void)[] = []
  const live = {
    jobs: shallowReactive(new Map(jobs.map((job) => [job.id, job]))),
    runner: shallowRef<Runner | null>(aRunner()),
    connection: shallowRef<Connection>({ state: 'live' }),
    isReady: shallowRef(true),
    onJob: (listener: (typeof listeners)[number]) => listeners.push(listener),
    onRemoved: () => undefined,
    onSnapshot: () => undefined,
    /** Sends a job. */
    tell(job: Job) {
      const before = live.jobs.get(job.id)
      live.jobs.set(job.id, job)
      listeners.forEach((listener) => listener(job, before))
    },
  }
  return live
}

/** For tests: mounts a component in the document, with a router and a session. */
export async function show(
  component: Component,
  {
    props = {},
    types = [],
    live = fakeLive(),
    at = '/',
    who = aPerson(),
  }: {
    props?: Record<string, unknown>
    types?: JobType[]
    live?: ReturnType<typeof fakeLive>
    at?: string
    who?: WhoAmI
  },
): Promise<{ page: VueWrapper; router: Router }> {
  vi.spyOn(api, 'whoami').mockResolvedValue(who)
  vi.spyOn(api, 'jobTypes').mockResolvedValue(declared(types))
  const session = new Session()
  await session.refresh()
  const router = createRouter({
    history: createMemoryHistory(),
    routes: [
      { path: '/', name: 'overview', component: {} },
      { path: '/start/:type', name: 'start', component: {} },
      { path: '/jobs/:id', name: 'job', component: {} },
      { path: '/mediawiki/train', name: 'train', component: {} },
      { path: '/runner', name: 'runner', component: {} },
    ],
  })
  await router.push(at)
  const plugin = {
    install(app: Parameters<typeof provideLive>[0]) {
      provideLive(app, live as unknown as Live)
      provideSession(app, session)
    },
  }
  const page = mount(component, { props, attachTo: document.body, global: { plugins: [plugin, router] } })
  return { page, router }
}
