import { flushPromises, type VueWrapper } from '@vue/test-utils'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { shallowRef } from 'vue'
import type { Router } from 'vue-router'

import { api, ApiError } from '@/api/client.ts'
import { aPerson } from '@/api/testing.ts'

import LoginPage from './LoginPage.vue'
import { becomes, NOBODY, open } from './testing.ts'

// The clock of the page starts once, outside of the fake time of each test.
vi.mock('@/ui/clock.ts', () => ({
  useNow: () => {
    const now = shallowRef(Date.now())
    setInterval(() => (now.value = Date.now()), 1000)
    return now
  },
}))

let page: VueWrapper
let router: Router

async function show(at = '/login', mode: 'local' | 'cas' = 'local'): Promise<void> {
  ;({ page, router } = await open(LoginPage, { at, who: { ...NOBODY, mode } }))
}

async function signIn(user: string, password: string): Promise<void> {
  await page.get('[name=username]').setValue(user)
  await page.get('[name=password]').setValue(password)
  await page.get('form').trigger('submit')
  await flushPromises()
}

const focused = () => document.activeElement?.getAttribute('name')
const alert = () => page.find('[role=alert]')

afterEach(() => {
  page.unmount()
  vi.useRealTimers()
})

describe('signing in with a password', () => {
  test('is possible for password managers, and begins at the name', async () => {
    await show()
    expect(page.get('[name=username]').attributes('autocomplete')).toBe('username')
    expect(page.get('[name=password]').attributes()).toMatchObject({
      autocomplete: 'current-password',
      type: 'password',
    })
    expect(focused()).toBe('username')
  })

  test.each([
    [aPerson(), '/jobs/7?q=a'],
    [aPerson({ secondFactor: 'code' }), '/second-factor?next=/jobs/7?q=a'],
    [aPerson({ secondFactor: 'enrol' }), '/enrol?next=/jobs/7?q=a'],
    [aPerson({ isAuthorized: false }), '/notauthorized?next=/jobs/7?q=a'],
  ])('leads to where somebody wanted to go, or to what comes before: %#', async (who, path) => {
    await show('/login?next=/jobs/7?q%3Da')
    const sent = vi.spyOn(api, 'signIn').mockResolvedValue({ message: '', user: 'alice', secondFactor: 'off' })
    becomes(who)
    await signIn(' alice ', ' secret ')
    expect(sent.mock.calls).toEqual([['alice', ' secret ']])
    expect(router.currentRoute.value.fullPath).toBe(path)
  })

  test('never leads elsewhere', async () => {
    await show('/login?next=//host.test')
    vi.spyOn(api, 'signIn').mockResolvedValue({ message: '', user: 'alice', secondFactor: 'off' })
    becomes(aPerson())
    await signIn('alice', 'secret')
    expect(router.currentRoute.value.fullPath).toBe('/')
  })

  test('says in an alert why it failed, and leaves the focus and what was typed', async () => {
    await show()
    vi.spyOn(api, 'signIn').mockRejectedValue(
      new ApiError('The name or the password is wrong', 401, { code: 'invalid' }),
    )
    page.get<HTMLInputElement>('[name=password]').element.focus()
    await signIn('alice', 'secret')
    expect(alert().text()).toBe('The name or the password is wrong.')
    expect(focused()).toBe('password')
    expect(page.get<HTMLInputElement>('[name=password]').element.value).toBe('secret')
  })

  test('says when to try again, and counts down beside what is read out', async () => {
    vi.useFakeTimers({ now: Date.parse('2026-11-24T11:00:00Z') })
    await show()
    vi.spyOn(api, 'signIn').mockRejectedValue(new ApiError('Too many attempts', 429, {}, [], 90))
    await signIn('alice', 'secret')
    expect(alert().text()).toBe('Too many attempts.')
    await vi.advanceTimersByTimeAsync(60_000)
    expect(page.text()).toContain('You can try again at 11:01:30 UTC, in 30 s.')
    await vi.advanceTimersByTimeAsync(31_000)
    expect(page.text()).toContain('You can try again now.')
    expect(alert().text()).not.toContain('now')
  })

  test('is not tried without a name and a password, and goes to what is missing', async () => {
    await show()
    const sent = vi.spyOn(api, 'signIn')
    await signIn('alice', '')
    expect(focused()).toBe('password')
    expect(page.text()).toContain('Enter your password.')
    await signIn('  ', '')
    expect(focused()).toBe('username')
    expect(sent).not.toHaveBeenCalled()
  })

  test('shows the password to who wants to see it', async () => {
    await show()
    await page.get('[type=checkbox]').setValue(true)
    expect(page.get('[name=password]').attributes('type')).toBe('text')
  })
})

test('who was signed in is told why they are not any more', async () => {
  ;({ page } = await open(LoginPage, { who: { ...NOBODY, reason: 'Your session has ended' } }))
  expect(page.text()).toContain('Your session has ended.')
})

describe('signing in at the single sign-on', () => {
  test.each([
    ['/login', '/api/login'],
    ['/login?next=/jobs/7', '/api/login?next=%2Fjobs%2F7'],
    ['/login?redirect=javascript:alert(1)', '/api/login'],
  ])('is a link that leads back: %s', async (at, address) => {
    await show(at, 'cas')
    expect(page.find('form').exists()).toBe(false)
    expect(page.get('a').attributes('href')).toBe(address)
  })

  test('that is somebody else than who is signed in changes nothing, and says so', async () => {
    ;({ page } = await open(LoginPage, { who: aPerson({ mode: 'cas' }), at: '/login?problem=other_user&next=/jobs/7' }))
    expect(alert().text()).toContain('another user')
    expect(page.text()).toContain('You are signed in as alice.')
    expect(page.findAll('a').map((link) => link.attributes('href'))).toEqual(['/jobs/7', '/logout'])
  })

  test.each([
    ['ticket', 'Sign in again'],
    ['unreachable', 'could not reach the single sign-on'],
    ['nonsense', 'tell an operator of'],
    ['other_user', 'another user'],
    ['toString', 'Sign-in failed. Try again.'],
    ['<b>', 'Sign-in failed. Try again.'],
  ])('says what was wrong with it, in its own words: %s', async (code, words) => {
    await show(`/login?problem=${encodeURIComponent(code)}`, 'cas')
    expect(alert().text()).toContain(words)
    expect(alert().text()).not.toContain('<b>')
  })
})
