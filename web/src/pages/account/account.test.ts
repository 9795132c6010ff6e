import { flushPromises, mount, type VueWrapper } from '@vue/test-utils'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createMemoryHistory, createRouter, type Router } from 'vue-router'

import { api, ApiError } from '@/api/client.ts'
import { declared, aPerson } from '@/api/testing.ts'
import type { BrowserSession, SecondFactor, Token, WhoAmI } from '@/api/types.ts'
import { provideSession, Session } from '@/state/session.ts'

import AccountPage from './AccountPage.vue'

const FIREFOX = 'Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0'

function aSession(given: Partial<BrowserSession>): BrowserSession {
  return {
    id: 'here',
    current: false,
    created: 1000,
    last_seen: 2000,
    expires: 3000,
    address: '192.0.2.1',
    user_agent: FIREFOX,
    ...given,
  }
}

function aToken(given: Partial<Token> = {}): Token {
  const now = Date.now() / 1000
  return {
    id: 'k3',
    user: 'alice',
    name: 'nightly',
    scopes: ['read'],
    created: now,
    expires: now + 30 * 86_400,
    ...given,
  }
}

let page: VueWrapper
let router: Router
let sessions: BrowserSession[]
let tokens: Token[]
let factor: SecondFactor

async function open(who: Partial<WhoAmI> = {}): Promise<void> {
  vi.spyOn(api, 'whoami').mockResolvedValue(aPerson(who))
  const component = { template: '<div />' }
  router = createRouter({
    history: createMemoryHistory(),
    routes: [
      { path: '/account', component },
      { path: '/enrol', name: 'enrol', component },
      { path: '/logout', name: 'logout', component },
    ],
  })
  await router.push('/account')
  const session = new Session()
  await session.refresh()
  page = mount(AccountPage, {
    attachTo: document.body,
    global: { stubs: { transition: false }, plugins: [router, (app) => provideSession(app, session)] },
  })
  await flushPromises()
}

const text = () => page.text().replaceAll(/\s+/g, ' ')
const find = (label: string) =>
  [...document.querySelectorAll('button')].find(
    (one) => (one.getAttribute('aria-label') ?? one.textContent).trim() === label,
  )

async function press(label: string): Promise<void> {
  const button = find(label)
  if (button === undefined) {
    throw new Error(`There is no button ${label}`)
  }
  button.focus()
  button.click()
  await flushPromises()
}

async function type(code: string): Promise<void> {
  const field = document.querySelector<HTMLInputElement>('[role=dialog] input')
  if (field === null) {
    throw new Error('Nothing can be typed')
  }
  field.value = code
  field.dispatchEvent(new Event('input'))
  await flushPromises()
}

beforeEach(() => {
  sessions = [
    aSession({ id: 'there', address: '192.0.2.7' }),
    aSession({ id: 'here', current: true, last_seen: 1500 }),
    aSession({ id: 'old', last_seen: 100, user_agent: '<b>curl</b>', address: 'unix' }),
  ]
  tokens = [aToken()]
  factor = { enrolled: true, required: true, recovery_codes_left: 7 }
  vi.spyOn(api, 'jobTypes').mockResolvedValue(declared([]))
  vi.spyOn(api, 'sessions').mockImplementation(() => Promise.resolve(sessions))
  vi.spyOn(api, 'tokens').mockImplementation(() => Promise.resolve(tokens))
  vi.spyOn(api, 'secondFactor').mockImplementation(() => Promise.resolve(factor))
})

afterEach(() => page.unmount())

test('it says who this is, what they may do, and by which groups', async () => {
  await open({ isAdmin: false, mayStart: false, groups: ['readers'] })
  expect(text()).toContain('You can view jobs and their logs')
  expect(text()).toContain('RoleViewer')
  expect(text()).toContain('readers')
})

test('where nobody signs in it says so, and asks for nothing', async () => {
  await open({ mode: 'none', user: 'demo' })
  expect(text()).toContain('Sign-in is off.')
  expect(page.findAll('h2').map((heading) => heading.text())).toEqual(['demo'])
  expect([api.sessions, api.tokens, api.secondFactor].map((one) => vi.mocked(one).mock.calls.length)).toEqual([0, 0, 0])
})

describe('sessions', () => {
  test('are listed, this one first, with what the browser says of itself as text', async () => {
    await open()
    const items = page.findAll('li').filter((item) => item.text().includes('Last seen'))
    expect(items.map((item) => item.get('h3').text())).toEqual([
      'Firefox 145 on Linux This session',
      'Firefox 145 on Linux',
      'Unknown browser',
    ])
    expect(items[2]?.text()).toContain('<b>curl</b>')
    expect(items[2]?.text()).toContain('a socket on the host')
  })

  test('can be ended one by one: it says so, and the heading gets the focus of the button that goes', async () => {
    vi.spyOn(api, 'endSession').mockImplementation((id) => {
      sessions = sessions.filter((one) => one.id !== id)
      return Promise.resolve({ message: '' })
    })
    await open()
    expect(find('End the session of Firefox 145 on Linux from 192.0.2.1')).toBeUndefined()
    await press('End the session of Firefox 145 on Linux from 192.0.2.7')
    await press('End the session')
    expect(api.endSession).toHaveBeenCalledExactlyOnceWith('there')
    expect(text()).toContain('Session ended.')
    expect(text()).not.toContain('192.0.2.7')
    expect(document.activeElement?.textContent).toBe('Sessions')
  })

  test('elsewhere can be ended together', async () => {
    vi.spyOn(api, 'endOtherSessions').mockImplementation(() => {
      sessions = sessions.filter(({ current }) => current)
      return Promise.resolve({ message: '' })
    })
    await open()
    await press('End all other sessions…')
    await press('End the 2 other sessions')
    expect(text()).toContain('You have no other sessions.')
    expect(find('End all other sessions…')).toBeUndefined()
  })

  test('can all be ended: then this one is signed out', async () => {
    vi.spyOn(api, 'endOtherSessions').mockResolvedValue({ message: '' })
    await open()
    await press('Sign out everywhere…')
    await press('Sign out everywhere')
    expect(api.endOtherSessions).toHaveBeenCalledOnce()
    expect(router.currentRoute.value.name).toBe('logout')
  })

  test('that cannot be loaded are missed, and asked for again', async () => {
    vi.mocked(api.sessions).mockRejectedValueOnce(new ApiError('SpiderPig cannot be reached', 0))
    await open()
    expect(text()).toContain('Your sessions could not be loaded: SpiderPig cannot be reached.')
    await press('Try now')
    expect(text()).toContain('Firefox 145 on Linux')
  })
})

describe('the second factor', () => {
  test('that is required can be replaced but not removed', async () => {
    await open()
    expect(text()).toContain('It is required for all users.')
    expect(page.get('a[href="/enrol"]').text()).toContain('Replace it')
    expect(find('Remove…')).toBeUndefined()
  })

  test.each([
    [4, '4 recovery codes are left', false],
    [3, '3 recovery codes are left.', true],
    [1, 'One recovery code is left.', true],
    [0, 'No recovery code is left.', true],
  ])('with %s recovery codes', async (recovery_codes_left, words, isWarning) => {
    factor = { enrolled: true, required: false, recovery_codes_left }
    await open()
    expect(text()).toContain(words)
    expect(text().includes('Get new codes now.')).toBe(isWarning)
  })

  test('gets new recovery codes for a code; they stay, and get the focus', async () => {
    vi.spyOn(api, 'renewRecoveryCodes').mockImplementation(() => {
      factor = { ...factor, recovery_codes_left: 10 }
      return Promise.resolve({ message: '', recovery_codes: ['k7mq-3xwp-9dha'] })
    })
    await open()
    await press('New recovery codes…')
    await type('123 456')
    await press('Get new codes')
    expect(api.renewRecoveryCodes).toHaveBeenCalledExactlyOnceWith('123456')
    expect(text()).toContain('k7mq-3xwp-9dha')
    expect(text()).toContain('10 recovery codes are left')
    expect(document.activeElement?.textContent).toContain('k7mq-3xwp-9dha')
  })

  test('that is not required is removed for a code', async () => {
    factor = { enrolled: true, required: false, recovery_codes_left: 7 }
    vi.spyOn(api, 'removeSecondFactor').mockImplementation(() => {
      factor = { enrolled: false, required: false, recovery_codes_left: 0 }
      return Promise.resolve({ message: '' })
    })
    await open()
    await press('Remove…')
    await type('123456')
    await press('Remove second factor')
    expect(text()).toContain('Second factor removed.')
    expect(page.get('a[href="/enrol"]').text()).toBe('Set up a second factor')
    expect(document.activeElement?.textContent).toBe('Second factor')
  })
})

describe('tokens', () => {
  test('say what they are good for, and when they end', async () => {
    const now = Date.now() / 1000
    tokens = [
      aToken({ name: 'soon', scopes: ['read', 'start:backport'], expires: now + 3 * 86_400 + 60 }),
      aToken({ id: 'x', name: 'over', expires: now - 100 }),
    ]
    await open()
    expect(text()).toContain('view jobs and logs')
    expect(text()).toContain('start jobs: backport')
    expect(text()).toContain('Expires in 3 d')
    expect(text()).toMatch(/over\s*Expired/)
  })

  test('are revoked when that is confirmed', async () => {
    vi.spyOn(api, 'revokeToken').mockImplementation(() => {
      tokens = []
      return Promise.resolve({ message: '' })
    })
    await open()
    await press('Revoke token nightly')
    expect(api.revokeToken).not.toHaveBeenCalled()
    await press('Revoke token')
    expect(api.revokeToken).toHaveBeenCalledExactlyOnceWith('k3')
    expect(text()).toContain('Token nightly revoked.')
    expect(text()).toContain('You have no tokens.')
    expect(document.activeElement?.textContent).toBe('API tokens')
  })

  test('are made by a command that fits who this is', async () => {
    await open({ user: 'alice' })
    expect(text()).toContain('sudo spiderpig-api token create --user alice --name nightly --scope read --expires 30d')
    page.unmount()
    await open({ user: 'alice', mode: 'cas', groups: ['cn=ops it'] })
    expect(text()).toContain("--user alice --group 'cn=ops it' --name nightly")
  })
})
