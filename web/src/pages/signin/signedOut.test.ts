import { flushPromises, type VueWrapper } from '@vue/test-utils'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'

import { api } from '@/api/client.ts'
import { aPerson } from '@/api/testing.ts'
import type { WhoAmI } from '@/api/types.ts'
import { Live } from '@/state/live.ts'
import { useSession, type Session } from '@/state/session.ts'

import LogoutPage from './LogoutPage.vue'
import NotAuthorizedPage from './NotAuthorizedPage.vue'
import SignedOutBanner from './SignedOutBanner.vue'
import { becomes, NOBODY, open } from './testing.ts'

let page: VueWrapper
const assign = vi.fn<(address: string | URL) => void>()

beforeEach(() => {
  assign.mockReset()
  vi.spyOn(window.location, 'assign').mockImplementation(assign)
  sessionStorage.clear()
})

afterEach(() => page.unmount())

describe('signing out', () => {
  const signOut = (SSOLogoutUrl: string) => vi.spyOn(api, 'signOut').mockResolvedValue({ message: '', SSOLogoutUrl })

  test('is said, and nothing is left of who was there', async () => {
    const stop = vi.spyOn(Live.prototype, 'stop')
    const asked = signOut('/')
    const { page: shown, session } = await open(LogoutPage, { who: aPerson() })
    page = shown
    expect(page.text()).toContain('You are signed out')
    expect(page.get('a').attributes('href')).toBe('/login')
    expect([session.who.value?.user, session.hadAccess.value]).toEqual([null, false])
    // Whoever listened to the end would be told that they are not let in.
    expect(stop).toHaveBeenCalledBefore(asked)
    expect(assign).not.toHaveBeenCalled()
  })

  test('goes on to the single sign-on', async () => {
    signOut('https://sso.test/logout?service=a')
    ;({ page } = await open(LogoutPage, { who: aPerson() }))
    expect(assign.mock.calls).toEqual([['https://sso.test/logout?service=a']])
  })

  test.each(['javascript:alert(1)', '//host.test', 'data:text/html,a'])('goes to no %s', async (address) => {
    signOut(address)
    ;({ page } = await open(LogoutPage, { who: aPerson() }))
    expect(assign).not.toHaveBeenCalled()
    expect(page.text()).toContain('You are signed out')
  })

  test('that fails says so, and can be tried again', async () => {
    const start = vi.spyOn(Live.prototype, 'start').mockReturnValue()
    signOut('/').mockRejectedValueOnce(new Error('SpiderPig cannot be reached'))
    const { page: shown, session } = await open(LogoutPage, { who: aPerson() })
    page = shown
    expect(page.get('[role=alert]').text()).toContain('SpiderPig cannot be reached')
    expect(session.hasAccess.value).toBe(true)
    expect(start).toHaveBeenCalledOnce()
    await page.get('button').trigger('click')
    await flushPromises()
    expect(page.text()).toContain('You are signed out')
  })
})

test('who may not use it is told who they are, and goes on when that has changed', async () => {
  const stranger = aPerson({ isAuthorized: false, groups: ['knitters', 'cooks'] })
  const { page: shown, router } = await open(NotAuthorizedPage, { who: stranger, at: '/notauthorized?next=/jobs/7' })
  page = shown
  expect(page.text()).toContain('alice')
  expect(page.text()).toContain('knitters, cooks')
  expect(page.get('a').attributes('href')).toBe('/logout')
  await page.get('button').trigger('click')
  await flushPromises()
  expect(page.get('[role=status]').text()).toBe('You still have no access.')
  becomes(aPerson())
  await page.get('button').trigger('click')
  await flushPromises()
  expect(router.currentRoute.value.fullPath).toBe('/jobs/7')
})

describe('who was signed out', () => {
  let session: Session

  /** As the page has it: the banner, and something to type in. */
  const Frame = {
    components: { SignedOutBanner },
    setup: () => ({ session: useSession() }),
    template: '<SignedOutBanner v-if="session.accessLost.value !== null" /><input>',
  }

  async function lapse(mode: 'local' | 'cas', { after = { ...NOBODY, mode } as WhoAmI, hasUnsavedInput = false } = {}) {
    ;({ page, session } = await open(Frame, { who: aPerson({ mode }), at: '/jobs/7?q=a' }))
    if (hasUnsavedInput) {
      page.get<HTMLInputElement>('input').element.focus()
    }
    becomes(after)
    await session.refresh()
    await flushPromises()
  }

  test('is told so, with the way back to where they are', async () => {
    await lapse('local')
    expect(page.get('[role=alert]').text()).toContain('You are signed out: Your session has ended.')
    expect(page.get('a').attributes('href')).toBe('/login?next=%2Fjobs%2F7%3Fq%3Da')
    expect(page.get('a').attributes('target')).toBeUndefined()
    expect(assign).not.toHaveBeenCalled()
  })

  test('signs in in another tab if something may have been typed', async () => {
    await lapse('local', { hasUnsavedInput: true })
    expect(page.get('a').attributes('target')).toBe('_blank')
    expect(page.get('a').text()).toContain('in another tab')
  })

  test('is back as soon as they look at this tab after that', async () => {
    await lapse('local')
    becomes(aPerson())
    document.dispatchEvent(new Event('visibilitychange'))
    await flushPromises()
    expect(page.find('[role=alert]').exists()).toBe(false)
  })

  test('goes to the single sign-on by itself, but not twice', async () => {
    await lapse('cas')
    expect(assign.mock.calls).toEqual([['/api/login?next=%2Fjobs%2F7%3Fq%3Da']])
    page.unmount()
    await lapse('cas')
    expect(assign).toHaveBeenCalledOnce()
    expect(page.get('a').attributes('href')).toBe('/api/login?next=%2Fjobs%2F7%3Fq%3Da')
  })

  test('stays if something may have been typed', async () => {
    await lapse('cas', { hasUnsavedInput: true })
    expect(assign).not.toHaveBeenCalled()
  })

  test.each([
    ['code', '/second-factor?next=%2Fjobs%2F7%3Fq%3Da'],
    ['enrol', '/enrol?next=%2Fjobs%2F7%3Fq%3Da'],
  ] as const)('gives their second factor where only that is missing: %s', async (secondFactor, address) => {
    await lapse('cas', { after: aPerson({ mode: 'cas', secondFactor }) })
    expect(page.get('a').attributes('href')).toBe(address)
    expect(assign).not.toHaveBeenCalled()
  })
})
