import { flushPromises, mount, type VueWrapper } from '@vue/test-utils'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createMemoryHistory, createRouter, type Router } from 'vue-router'

import { api, ApiError } from '@/api/client.ts'
import { declared, aPerson } from '@/api/testing.ts'
import type { AuditEntry, AuditPage, Token, User, WhoAmI } from '@/api/types.ts'
import { provideSession, Session } from '@/state/session.ts'

import AdminPage from './AdminPage.vue'

function aUser(given: Partial<User> = {}): User {
  return {
    user: 'bob',
    groups: ['deployers'],
    disabled: false,
    enrolled: true,
    recovery_codes_left: 2,
    sessions: 1,
    last_seen: 1000,
    ...given,
  }
}

function anEntry(given: Partial<AuditEntry> = {}): AuditEntry {
  return {
    n: 17,
    time: '2020-11-24T11:00:00Z',
    event: 'answer',
    user: 'alice',
    address: '192.0.2.1',
    request: '5d0c6c4e-0000-4000-8000-000000000000',
    details: { job: 4, interaction: 4_000_001, response: 'y' },
    ...given,
  }
}

const DAY = 86_400

function aToken(given: Partial<Token> = {}): Token {
  const now = Date.now() / 1000
  return { id: 'k3', user: 'bob', name: 'nightly', scopes: ['read'], created: now, expires: now + 30 * DAY, ...given }
}

let page: VueWrapper
let router: Router
let users: User[]
let tokens: Token[]
let pages: AuditPage[]

async function open(who: Partial<WhoAmI> = {}, path = '/admin'): Promise<void> {
  vi.spyOn(api, 'whoami').mockResolvedValue(aPerson({ isAdmin: true, ...who }))
  const component = { template: '<div />' }
  router = createRouter({
    history: createMemoryHistory(),
    routes: [
      { path: '/admin', component },
      { path: '/jobs/:id', name: 'job', component },
      { path: '/logout', name: 'logout', component },
    ],
  })
  await router.push(path)
  const session = new Session()
  await session.refresh()
  page = mount(AdminPage, {
    attachTo: document.body,
    global: { stubs: { transition: false }, plugins: [router, (app) => provideSession(app, session)] },
  })
  await flushPromises()
}

const text = () => page.text().replaceAll(/\s+/g, ' ')
const dialogText = () => document.querySelector('[role=dialog]')?.textContent.replaceAll(/\s+/g, ' ') ?? ''
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

beforeEach(() => {
  users = [aUser({ user: 'alice' }), aUser()]
  tokens = []
  pages = [{ entries: [anEntry()], more: false, next: null }]
  vi.spyOn(api, 'jobTypes').mockResolvedValue(declared([]))
  vi.spyOn(api, 'users').mockImplementation(() => Promise.resolve(users))
  vi.spyOn(api, 'allTokens').mockImplementation(() => Promise.resolve(tokens))
  vi.spyOn(api, 'audit').mockImplementation(() =>
    Promise.resolve(pages.shift() ?? { entries: [], more: false, next: null }),
  )
})

afterEach(() => page.unmount())

test('who is no admin is told so, and nothing is asked for', async () => {
  await open({ isAdmin: false })
  expect(text()).toContain('This page is only for admins.')
  expect([vi.mocked(api.users).mock.calls, vi.mocked(api.audit).mock.calls]).toEqual([[], []])
})

test('where nobody signs in there is only the audit trail', async () => {
  await open({ mode: 'none' })
  expect(text()).toContain('Sign-in is off.')
  expect(page.findAll('h2').map((heading) => heading.text())).toEqual(['Audit trail'])
  expect(api.users).not.toHaveBeenCalled()
})

describe('tokens', () => {
  test('are told with whose they are and what they may, and are revoked', async () => {
    tokens = [
      aToken({ scopes: ['read', 'answer:backport'] }),
      aToken({ id: 'z9', user: 'carol', name: 'old', expires: 1 }),
    ]
    const revoke = vi.spyOn(api, 'revokeTokenOf').mockResolvedValue({ message: '' })
    await open()
    for (const words of ['view jobs and logs', 'answer and stop jobs: backport', 'sp_k3_']) {
      expect(text()).toContain(words)
    }
    expect(text()).toMatch(/Acts as\s*bob/)
    expect(text()).toMatch(/old\s*Expired/)
    await press('Revoke token nightly of bob')
    expect(dialogText()).toContain('Revoke token nightly of bob?')
    tokens = []
    await press('Revoke token')
    expect(revoke).toHaveBeenCalledExactlyOnceWith('bob', 'k3')
    expect(text()).toContain('Token nightly of bob revoked.')
    expect(text()).toContain('There are no tokens.')
  })
})

describe('users', () => {
  test('are told with their second factor, their sessions, and what may be done', async () => {
    users = [
      aUser(),
      aUser({ user: 'carol', disabled: true, enrolled: false, sessions: 0, last_seen: null, groups: [] }),
    ]
    await open()
    const items = page.findAll('.item-list__buttons')
    expect(items.map((item) => item.findAll('button').map((one) => one.text()))).toEqual([
      ['Reset second factor…', 'End sessions…'],
      [],
    ])
    expect(text()).toContain('yes, 2 recovery codes left')
    expect(text()).toMatch(/carol\s*Disabled/)
  })

  test('have their second factor reset after it was said what that does', async () => {
    vi.spyOn(api, 'resetSecondFactor').mockImplementation(() => {
      users = [aUser({ user: 'alice' }), aUser({ enrolled: false, sessions: 0 })]
      return Promise.resolve({ message: '' })
    })
    await open()
    await press('Reset second factor of bob')
    expect(dialogText()).toContain('Make sure that it is really bob who asks for this.')
    expect(dialogText()).not.toContain('your own account')
    expect(api.resetSecondFactor).not.toHaveBeenCalled()
    await press('Reset the second factor')
    expect(api.resetSecondFactor).toHaveBeenCalledExactlyOnceWith('bob')
    expect(text()).toContain('The second factor of bob was reset, and their sessions have ended.')
    expect(document.activeElement?.textContent).toBe('Users')
  })

  test('have their sessions ended, or are told why not', async () => {
    vi.spyOn(api, 'endSessionsOf').mockRejectedValueOnce(new ApiError('The sessions cannot be written', 503))
    await open()
    await press('End sessions of alice')
    expect(dialogText()).toContain('This is your own account: you will be signed out here, too.')
    await press('End the session')
    expect(dialogText()).toContain('The sessions cannot be written.')
    expect(text()).not.toContain('have ended')
  })

  test('are found by name or group where there are many', async () => {
    users = Array.from({ length: 30 }, (_, place) =>
      aUser({ user: `user${place}`, groups: [place === 7 ? 'sre' : 'x'] }),
    )
    await open()
    const names = () => page.findAll('.item-list h3').map((heading) => heading.text())
    expect(names()).toHaveLength(20)
    await press('Show all 30')
    expect(names()).toHaveLength(30)
    await page.get('.users-panel__search input').setValue('SRE')
    expect(names()).toEqual(['user7'])
    await page.get('.users-panel__search input').setValue('nobody')
    expect(text()).toContain('No users match.')
  })
})

test('everyone is logged out when that is confirmed, and so is this one', async () => {
  vi.spyOn(api, 'signOutEverybody').mockResolvedValue({ message: '' })
  await open()
  await press('Sign everyone out…')
  expect(dialogText()).toContain('Running jobs continue.')
  await press('Sign everyone out')
  expect(api.signOutEverybody).toHaveBeenCalledOnce()
  expect(router.currentRoute.value.name).toBe('logout')
})

describe('the audit trail', () => {
  const log = () => page.get('.audit-panel')
  const items = () =>
    log()
      .findAll('.audit-panel__list > li')
      .map((item) => item.text().replaceAll(/\s+/g, ' '))

  test('is told in words, with a link to the job and the request', async () => {
    await open()
    expect(items()).toHaveLength(1)
    expect(items()[0]).toContain('alice answered a question of job 4')
    expect(items()[0]).toContain('2020-11-24 11:00:00 UTC')
    expect(log().get('a').attributes('href')).toBe('/jobs/4')
    expect(find('Copy the request ID of entry 17')).toBeDefined()
  })

  test('shows what strangers have typed as text', async () => {
    const evil = '<img src=x onerror=alert(1)>'
    pages = [
      {
        entries: [
          anEntry({ event: evil, user: evil, address: evil, request: evil, time: evil, details: { [evil]: evil } }),
        ],
        more: false,
        next: null,
      },
    ]
    await open()
    expect(items()[0]?.split(evil)).toHaveLength(8)
    expect(log().find('.audit-panel__list img').exists()).toBe(false)
  })

  test('goes on where the API says, and the first of the new ones gets the focus', async () => {
    pages = [
      { entries: [anEntry()], more: true, next: 9 },
      { entries: [anEntry({ n: 8, user: 'bob' })], more: false, next: null },
    ]
    await open()
    await press('Load more')
    expect(vi.mocked(api.audit).mock.calls[1]?.[1]).toMatchObject({ before: 9 })
    expect(items()).toHaveLength(2)
    expect(document.activeElement?.textContent).toContain('bob')
    expect(find('Load more')).toBeUndefined()
  })

  test('says that there is more to look through when nothing was found so far', async () => {
    pages = [
      { entries: [], more: true, next: 500 },
      { entries: [], more: false, next: null },
    ]
    await open({}, '/admin?user=zoe')
    expect(log().text()).toContain('No match in the newest entries.')
    await press('Search older entries')
    expect(log().text()).toContain('No entries match. Clear the filters to see all.')
    expect(document.activeElement?.textContent).toBe('Audit trail')
  })

  test('has its filter in the address, and is asked for anew when that changes', async () => {
    await open({}, '/admin?event=start&user=bob&q=x')
    expect(vi.mocked(api.audit).mock.calls[0]?.[0]).toEqual({ event: 'start', user: 'bob', q: 'x' })
    pages = [{ entries: [anEntry({ user: 'carol' })], more: false, next: null }]
    await press('Clear filters')
    expect(router.currentRoute.value.fullPath).toBe('/admin')
    expect(items()[0]).toContain('carol')
    expect(document.activeElement?.tagName).toBe('INPUT')
  })

  test('is empty, or cannot be loaded: both are said', async () => {
    pages = []
    await open()
    expect(log().text()).toContain('The audit trail is empty.')
    page.unmount()
    vi.mocked(api.audit).mockRejectedValueOnce(new ApiError('The audit trail cannot be read', 503))
    await open()
    expect(log().text()).toContain('The audit trail could not be loaded: The audit trail cannot be read.')
    await press('Try now')
    expect(log().text()).toContain('The audit trail is empty.')
  })
})
