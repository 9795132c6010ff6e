import type { Page } from '@playwright/test'

import { expectGoodLooks } from '../fixtures/accessible.ts'
import { log } from '../fixtures/parts.ts'
import { enrol, giveSession, signIn, typePassword } from '../fixtures/people.ts'
import { expect, test } from '../fixtures/withPeople.ts'

/** What should be text wherever it stands. */
const HOSTILE = '<img src=x onerror=alert(1)> & <b>bold</b>'

const users = (page: Page) => page.getByRole('region', { name: 'Users' })
const audit = (page: Page) => page.getByRole('region', { name: 'Audit trail' })
const entries = (page: Page) => audit(page).getByRole('list').first().locator('> li')

/** The entry of a user in the list of all. */
function userOf(page: Page, name: string) {
  return users(page)
    .getByRole('listitem')
    .filter({ has: page.getByRole('heading', { name: new RegExp(`^${name}\\b`) }) })
}

test('an admin resets a second factor, and ends sessions', async ({
  page,
  context,
  spiderpig,
  anotherBrowser,
  pageOf,
  complaints,
}) => {
  complaints.expectRefusal(401)
  const { client, recoveryCodes } = await enrol(spiderpig, 'alice')
  const alices = await anotherBrowser(spiderpig.api.url)
  await giveSession(alices.context(), client)
  const bobs = await pageOf('bob')
  await giveSession(context, await signIn(spiderpig, 'ada'))
  await Promise.all([alices.goto('/runner'), bobs.goto('/runner'), page.goto('/')])
  await page.getByRole('button', { name: 'Settings of ada' }).click()
  await page.getByRole('link', { name: 'Administration' }).click()
  await expect(page).toHaveURL('/admin')
  const dialog = page.getByRole('dialog')

  await test.step('a second factor', async () => {
    await expect(userOf(page, 'alice')).toContainText('yes, 10 recovery codes left')
    await userOf(page, 'alice').getByRole('button', { name: 'Reset second factor of alice' }).click()
    await expect(dialog).toContainText('Make sure that it is really alice who asks for this.')
    await expectGoodLooks(page, 'the question whether to reset a second factor')
    await dialog.getByRole('button', { name: 'Reset the second factor' }).click()
    await expect(users(page).getByRole('status')).toContainText('The second factor of alice was reset')
    await expect(userOf(page, 'alice')).toContainText(/Second factor\s*no/)
    await expect(alices.getByRole('alert')).toContainText('You are signed out')
  })

  await test.step('their recovery codes are not valid, and the password is enough', async () => {
    await alices.getByRole('link', { name: 'Sign in again' }).click()
    await typePassword(alices, 'alice')
    await expect(alices).toHaveURL('/runner')
    expect(recoveryCodes).toHaveLength(10)
  })

  await test.step('the sessions of somebody', async () => {
    await userOf(page, 'bob').getByRole('button', { name: 'End sessions of bob' }).click()
    await dialog.getByRole('button', { name: 'End the session' }).click()
    await expect(users(page).getByRole('status')).toHaveText('The sessions of bob have ended.')
    await expect(userOf(page, 'bob')).toContainText(/Sessions\s*none/)
    await expect(bobs.getByRole('alert')).toContainText('You are signed out')
    await expect(userOf(page, 'ada')).toContainText('You')
  })

  await test.step('all of which is recorded', async () => {
    await audit(page).getByRole('button', { name: 'Load new entries' }).click()
    await expect(entries(page).first()).toContainText('ada ended sessions of bob')
    await expect(entries(page).filter({ hasText: 'ada reset the second factor of alice' })).toHaveCount(1)
    await expectGoodLooks(page, 'the page of admins')
  })
})

test('an admin reads who did what', async ({ page, context, spiderpig, pageOf }) => {
  const alice = await signIn(spiderpig, 'alice')
  const ada = await signIn(spiderpig, 'ada')
  const secret = await alice.submit('secret')
  const greeting = await alice.submit('hello')
  await alice.answer(greeting, HOSTILE, 'greeted')
  await ada.post('/api/runner/pause', { reason: HOSTILE })
  await alice.submit('kinds', { name: 'abc', tags: [HOSTILE] })
  await signIn(spiderpig, 'victor')
  await giveSession(context, ada)
  await page.goto('/admin')
  const search = audit(page).getByRole('search', { name: 'Audit trail' })

  await test.step('sensitive lines that somebody looked at', async () => {
    const bobs = await pageOf('bob')
    await bobs.goto(`/jobs/${secret}`)
    await log(bobs, secret).getByRole('button', { name: 'Show' }).click()
    await expect(log(bobs, secret)).toContainText('the password is swordfish')
    await audit(page).getByRole('button', { name: 'Load new entries' }).click()
    await expect(entries(page).first()).toContainText(`bob viewed sensitive lines in the log of job ${secret}`)
    await expect(entries(page).first()).toContainText('From 127.0.0.1')
  })

  await test.step('what people have typed is text', async () => {
    const of = (words: string) => entries(page).filter({ hasText: words })
    await expect(of('ada paused the job runner')).toContainText(HOSTILE)
    await expect(of(`alice answered a question of job ${greeting}`)).toContainText(HOSTILE)
    await expect(of(`alice started job ${greeting + 1}`)).toHaveCount(1)
  })

  await test.step('by user, by event, and by text', async () => {
    await search.getByRole('textbox', { name: 'User' }).fill('alice')
    await expect(entries(page)).toHaveCount(5)
    await expect(page).toHaveURL('/admin?user=alice')
    await search.getByRole('combobox', { name: 'Event' }).click()
    await page.getByRole('option', { name: 'Job started' }).click()
    await expect(entries(page)).toHaveCount(3)
    await search.getByRole('searchbox', { name: 'Search entries' }).fill('kinds')
    await expect(entries(page)).toHaveCount(1)
    await page.reload()
    await expect(entries(page)).toHaveCount(1)
    await expect(entries(page)).toContainText(`alice started job ${greeting + 1}`)
    await search.getByRole('searchbox').fill('nothing has this')
    await expect(audit(page)).toContainText('No entries match.')
    await search.getByRole('button', { name: 'Clear filters' }).click()
    await expect(entries(page).filter({ hasText: 'victor signed in' })).toHaveCount(1)
    await expect(page).toHaveURL('/admin')
    await expectGoodLooks(page, 'an audit trail with markup in it')
  })

  await test.step('the parameters of a job are text, too', async () => {
    await entries(page)
      .getByRole('link', { name: `job ${greeting + 1}` })
      .click()
    await page.getByRole('heading', { name: 'Parameters and command' }).click()
    await expect(page.getByRole('definition').filter({ hasText: HOSTILE }).first()).toBeVisible()
  })
})

test('an admin logs everyone out, and a job that runs goes on', async ({
  page,
  context,
  spiderpig,
  pageOf,
  complaints,
}) => {
  complaints.expectRefusal(401)
  const alices = await pageOf('alice')
  await giveSession(context, await signIn(spiderpig, 'ada'))
  const id = await (await signIn(spiderpig, 'alice')).submit('question')
  await Promise.all([alices.goto(`/jobs/${id}`), page.goto('/admin')])
  await page.getByRole('button', { name: 'Sign everyone out…' }).click()
  const dialog = page.getByRole('dialog', { name: 'Sign everyone out?' })
  await expect(dialog).toContainText('Running jobs continue.')
  await dialog.getByRole('button', { name: 'Sign everyone out' }).click()
  await expect(page.getByRole('main')).toContainText(/You are signed out/)
  await expect(alices.getByRole('alert').filter({ hasText: 'You are signed out' })).toBeVisible()

  const again = await signIn(spiderpig, 'alice')
  expect((await again.job(id)).state).toBe('waiting')
  await again.answer(id, 'd')
  await again.reaches(id, 'succeeded')
  await page.goto('/admin')
  await expect(page).toHaveURL('/login?next=/admin')
})
