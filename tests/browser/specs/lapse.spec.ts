import type { Page, Request } from '@playwright/test'

import { expectGoodLooks } from '../fixtures/accessible.ts'
import { choice, field, historyRow, line, log, prompt, startPanel } from '../fixtures/parts.ts'
import { giveSession, signIn, typePassword } from '../fixtures/people.ts'
import { expect, test } from '../fixtures/withPeople.ts'

const banner = (page: Page) =>
  page.getByRole('alert').filter({ hasText: 'You are signed out: Your session has ended.' })

/** Follows the link of the banner to another tab, and signs in there. */
async function signInElsewhere(page: Page, user: string): Promise<void> {
  const opening = page.context().waitForEvent('page')
  await banner(page).getByRole('link', { name: 'Sign in again (in another tab)' }).click()
  const other = await opening
  await typePassword(other, user)
  await expect(other).not.toHaveURL(/\/login/)
  await other.close()
  // The browsers of these tests have all their tabs in view at once, and so do not tell of this by themselves.
  await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')))
}

test('a session that ends elsewhere takes nothing from who types an answer', async ({
  page,
  context,
  spiderpig,
  complaints,
}) => {
  complaints.expectRefusal(401)
  const [here, elsewhere] = [await signIn(spiderpig, 'alice'), await signIn(spiderpig, 'alice')]
  await giveSession(context, here)
  const id = await elsewhere.submit('hello')
  await page.goto(`/jobs/${id}`)
  const answer = prompt(page, id).getByRole('textbox', { name: 'Your answer' })
  await answer.fill('Ada Lovel')

  await test.step('its stream of events ends with it, and the page says so', async () => {
    const isStream = (request: Request) => new URL(request.url()).pathname === '/api/events'
    const ended = page.waitForEvent('requestfinished', isStream)
    await elsewhere.post('/api/sessions/end-others', {})
    await ended
    await expect(banner(page)).toContainText('This page stays as it is, but is no longer updated.')
    await expect(banner(page)).toContainText('Your input stays here')
    await expect(answer).toHaveValue('Ada Lovel')
    await expectGoodLooks(page, 'a session that has ended')
  })

  await test.step('an answer is refused, and kept', async () => {
    await answer.press('End')
    await page.keyboard.type('ace')
    await answer.press('Enter')
    await expect(prompt(page, id)).toContainText(/Sign in again|Your session has ended/)
    await expect(answer).toHaveValue('Ada Lovelace')
    expect((await elsewhere.job(id)).state).toBe('waiting')
  })

  await test.step('it goes on after signing in in another tab', async () => {
    await signInElsewhere(page, 'alice')
    await expect(banner(page)).toBeHidden()
    await expect(answer).toHaveValue('Ada Lovelace')
    await answer.press('Enter')
    await choice(page, id, 'Politely').click()
    await expect(line(page, id, 'Good day, Ada Lovelace.').first()).toBeVisible()
    await expect(log(page, id)).toContainText('exit status 0')
  })

  await test.step('and what others do is told again', async () => {
    const other = await elsewhere.submit('noop')
    await page.getByRole('link', { name: 'SpiderPig', exact: true }).click()
    await expect(historyRow(page, other)).toContainText('Succeeded')
  })
})

test('a session that ends elsewhere takes nothing from who fills in a form', async ({
  page,
  context,
  spiderpig,
  complaints,
}) => {
  complaints.expectRefusal(401)
  const elsewhere = await signIn(spiderpig, 'alice')
  await giveSession(context, await signIn(spiderpig, 'alice'))
  await page.goto('/start/kinds')
  await field(page, 'Name').fill('alice')
  await field(page, 'Tags').fill('one tag')
  await field(page, 'Tags').press('Enter')
  await startPanel(page).getByRole('switch', { name: 'Loud' }).check({ force: true })

  await elsewhere.post('/api/sessions/end-others', {})
  await expect(banner(page)).toBeVisible()
  await expect(page.getByRole('button', { name: 'Start All kinds of parameters' })).toBeDisabled()
  await expect(startPanel(page)).toContainText('Not connected to SpiderPig: ')
  // What is going on meanwhile is not told to who is signed out.
  const asking = await elsewhere.submit('question')
  await elsewhere.prompt(asking)
  await expect(page.getByRole('link', { name: /^Job runner: .*waiting for an answer/ })).toHaveCount(0)

  await signInElsewhere(page, 'alice')
  await expect(banner(page)).toBeHidden()
  await expect(page.getByRole('link', { name: /^Job runner: .*1 waiting for an answer/ })).toBeVisible()
  await expect(field(page, 'Name')).toHaveValue('alice')
  await page.getByRole('button', { name: 'Start All kinds of parameters' }).click()
  await expect(page).toHaveURL(`/jobs/${asking + 1}`)
  for (const text of ['name=alice', 'one tag', '--loud']) {
    await expect(line(page, asking + 1, text)).toBeVisible()
  }
})

test('who was only looking when their password was changed signs in again where they are', async ({
  page,
  context,
  spiderpig,
  complaints,
}) => {
  complaints.expectRefusal(401)
  await giveSession(context, await signIn(spiderpig, 'alice'))
  await page.goto('/runner')
  const lane = page.getByRole('region', { name: 'Lane narrow' })
  await expect(lane).toBeVisible()
  spiderpig.command(['user', 'passwd', 'alice'], { input: 'another long password' })
  await banner(page).getByRole('link', { name: 'Sign in again', exact: true }).click()
  await expect(page).toHaveURL(/\/login\?next=(%2F|\/)runner$/)
  await typePassword(page, 'alice', 'another long password')
  await expect(page).toHaveURL('/runner')
  await expect(lane).toBeVisible()
})
