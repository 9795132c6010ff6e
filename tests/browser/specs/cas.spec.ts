import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import type { Page } from '@playwright/test'

import { expectGoodLooks } from '../fixtures/accessible.ts'
import { Cas } from '../fixtures/cas.ts'
import { bySingleSignOn } from '../fixtures/configuration.ts'
import { field } from '../fixtures/parts.ts'
import type { SpiderPig } from '../fixtures/spiderpig.ts'
import { expect, test as base } from '../fixtures/test.ts'

const test = base.extend<{ cas: Cas }>({
  cas: async ({}, use) => {
    const cas = await Cas.start()
    await use(cas)
    await cas.end()
  },

  complaints: async ({ complaints }, use) => {
    // Browsers ask the single sign-on for a picture, which it does not have.
    complaints.expect(/status of 404 .*\/favicon\.ico\)$/)
    await use(complaints)
  },

  startOptions: async ({ cas }, use) => use({ auth: bySingleSignOn(cas.url) }),
})

/** Makes what is known of the groups of all who are signed in older than it may be. */
function makeStale({ directory }: SpiderPig): void {
  const file = join(directory, 'api/sessions.json')
  const sessions = JSON.parse(readFileSync(file, 'utf8')) as Record<string, { checked: string }>
  const old = new Date(Date.now() - 2 * 3_600_000).toISOString()
  for (const session of Object.values(sessions)) {
    session.checked = old
  }
  writeFileSync(file, JSON.stringify(sessions), { mode: 0o600 })
}

const toSingleSignOn = (page: Page) => page.getByRole('link', { name: 'Sign in with single sign-on' })

test('people sign in at the single sign-on, stay where they are for days, and sign out of all', async ({
  page,
  spiderpig,
  cas,
  complaints,
}) => {
  complaints.expectRefusal(401)
  const code = () => spiderpig.command(['otp', '--quiet'], { user: 'alice' }).trim()

  await test.step('from a link into SpiderPig, with a second factor', async () => {
    await page.goto('/start/kinds?name=abc')
    await expect(page).toHaveURL('/login?next=/start/kinds?name=abc')
    await expectGoodLooks(page, 'the way to the single sign-on')
    const given = code()
    await toSingleSignOn(page).click()
    await expect(page).toHaveURL(new RegExp(`^${cas.url}/login\\?service=`))
    await page.getByRole('button', { name: 'alice', exact: true }).click()
    await expect(page).toHaveURL('/second-factor?next=/start/kinds?name=abc')
    await page.getByRole('textbox', { name: 'Code' }).pressSequentially(given)
    await expect(page).toHaveURL('/start/kinds?name=abc')
    await expect(field(page, 'Name')).toHaveValue('abc')
  })

  await test.step('the groups are asked for again, and who only looks does not notice', async () => {
    await page.goto('/runner#lanes')
    await expect(page.getByRole('region', { name: 'Lane narrow' })).toBeVisible()
    const renewal = page.waitForRequest((request) => request.url().startsWith(`${cas.url}/login`))
    makeStale(spiderpig)
    await renewal
    await expect(page).toHaveURL('/runner#lanes')
    await expect(page.getByRole('region', { name: 'Lane narrow' })).toBeVisible()
    await expect(page.getByRole('link', { name: 'Job runner: Idle' })).toBeVisible()
  })

  await test.step('who types goes on typing, and gets in again in another tab', async () => {
    await page.goto('/start/kinds')
    await field(page, 'Name').fill('xyz')
    makeStale(spiderpig)
    const banner = page.getByRole('alert').filter({ hasText: 'You are signed out' })
    await expect(banner).toContainText('Your input stays here')
    await expect(field(page, 'Name')).toHaveValue('xyz')
    const opening = page.context().waitForEvent('page')
    await banner.getByRole('link', { name: 'Sign in again (in another tab)' }).click()
    const other = await opening
    await expect(other).toHaveURL('/start/kinds')
    await other.close()
    await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')))
    await expect(banner).toBeHidden()
    await expect(field(page, 'Name')).toHaveValue('xyz')
    await page.getByRole('button', { name: 'Start All kinds of parameters' }).click()
    await expect(page).toHaveURL('/jobs/1')
  })

  await test.step('signing out ends it there, too', async () => {
    await page.getByRole('button', { name: 'Settings of alice' }).click()
    await page.getByRole('link', { name: 'Sign out' }).click()
    await expect(page).toHaveURL('/login')
    await toSingleSignOn(page).click()
    await expect(page.getByRole('button', { name: 'alice', exact: true })).toBeVisible()
  })
})

/** Asks to be signed in. Returns the address to which the single sign-on would lead this browser back. */
async function serviceOf(page: Page, next: string): Promise<string> {
  const response = await page.request.get(`/api/login?next=${next}`, { maxRedirects: 0 })
  return new URL(response.headers().location!).searchParams.get('service')!
}

test('a ticket that is refused, and a single sign-on that is away, are told', async ({ page, cas }) => {
  const alert = page.getByRole('main').getByRole('alert')
  await page.goto('/api/login?ticket=ST-forged&next=/runner')
  await expect(alert).toContainText('This browser did not start this sign-in')
  await expectGoodLooks(page, 'a ticket that nobody asked for')

  await page.goto(`${await serviceOf(page, '/runner')}&ticket=ST-forged`)
  await expect(page).toHaveURL('/login?problem=ticket&next=/runner')
  await expect(alert).toContainText('The single sign-on did not confirm your sign-in')
  await expectGoodLooks(page, 'a ticket that was refused')

  await page.goto(`${cas.url}/login?service=${encodeURIComponent(await serviceOf(page, '/'))}`)
  await page.getByText('Trouble').click()
  await page.getByRole('button', { name: 'bomb', exact: true }).click()
  await expect(alert).toContainText('SpiderPig did not understand the answer of the single sign-on.')

  const service = await serviceOf(page, '/')
  await cas.kill()
  await page.goto(`${service}&ticket=ST-any`)
  await expect(alert).toContainText('SpiderPig could not reach the single sign-on')
  await expect(toSingleSignOn(page)).toBeVisible()
})
