import { flushPromises, mount, type VueWrapper } from '@vue/test-utils'
import type { App, Component } from 'vue'
import { createMemoryHistory, createRouter, type Router } from 'vue-router'
import { vi } from 'vitest'

import { api } from '@/api/client.ts'
import type { WhoAmI } from '@/api/types.ts'
import { Live, provideLive } from '@/state/live.ts'
import { provideSession, Session } from '@/state/session.ts'
import { declared } from '@/api/testing.ts'

/** For tests: nobody is signed in. */
export const NOBODY: WhoAmI = { user: null, mode: 'local', loginUrl: '/api/login' }

/** For tests: from now on this is the user. */
export function becomes(who: WhoAmI): void {
  vi.mocked(api.whoami).mockResolvedValue(who)
}

/** For tests: shows a sign-in page to a user, without the route guard. */
export async function open(
  component: Component,
  { who = NOBODY, at = '/here' }: { who?: WhoAmI; at?: string } = {},
): Promise<{ page: VueWrapper; router: Router; session: Session; live: Live }> {
  vi.spyOn(api, 'whoami').mockResolvedValue(who)
  vi.spyOn(api, 'jobTypes').mockResolvedValue(declared([]))
  const session = new Session()
  const live = new Live()
  await session.refresh()
  const anything = { template: '<p />' }
  const router = createRouter({
    history: createMemoryHistory(),
    routes: [
      ...['login', 'logout', 'second-factor', 'enrol', 'account'].map((name) => ({
        path: `/${name}`,
        name,
        component: anything,
      })),
      { path: '/notauthorized', name: 'not-authorized', component: anything },
      { path: '/:path(.*)*', name: 'other', component: anything },
    ],
  })
  await router.push(at)
  const plugin = (app: App) => {
    provideSession(app, session)
    provideLive(app, live)
  }
  const page = mount(component, { attachTo: document.body, global: { plugins: [plugin, router] } })
  await flushPromises()
  return { page, router, session, live }
}
