import { expectGoodLooks } from '../fixtures/accessible.ts'
import { choice, historyRow, prompt, startPanel } from '../fixtures/parts.ts'
import { giveSession, signIn } from '../fixtures/people.ts'
import { expect, test } from '../fixtures/withPeople.ts'

const LOOK_ONLY = 'You can view jobs, but not start or answer them.'

test('a viewer sees what goes on, and is told why they cannot act', async ({ page, context, spiderpig, pageOf }) => {
  const alice = await signIn(spiderpig, 'alice')
  const [asking, ended] = [await alice.submit('question'), await alice.submit('noop')]
  await alice.prompt(asking)
  await alice.reaches(ended, 'succeeded')
  await giveSession(context, await signIn(spiderpig, 'victor'))

  await test.step('in the overview', async () => {
    await page.goto('/')
    await expect(startPanel(page)).toContainText(`${LOOK_ONLY} An operator of SpiderPig can tell you`)
    await expect(startPanel(page).getByRole('button')).toHaveCount(0)
    await expect(prompt(page, asking)).toContainText(LOOK_ONLY)
    await expect(choice(page, asking, 'Deploy')).toBeDisabled()
    await expect(historyRow(page, ended)).toContainText('Succeeded')
    await expectGoodLooks(page, 'the overview of a viewer')
  })

  await test.step('and at a job', async () => {
    await page.goto(`/jobs/${asking}`)
    await expect(prompt(page, asking)).toContainText('Deploy to all wikis?')
    await expect(prompt(page, asking)).toContainText(LOOK_ONLY)
    await expect(choice(page, asking, 'Stop here')).toBeDisabled()
    await expect(page.getByRole('button', { name: `Stop job ${asking}` })).toBeDisabled()
    await expectGoodLooks(page, 'a job that a viewer looks at')
  })

  await test.step('what they see is live', async () => {
    const alices = await pageOf('alice')
    await alices.goto(`/jobs/${asking}`)
    await choice(alices, asking, 'Deploy').click()
    await expect(page.getByRole('main')).toContainText('Succeeded')
    await expect(page.getByRole('button', { name: `Retry job ${asking}` })).toBeDisabled()
    await expect(page.getByRole('main')).toContainText(LOOK_ONLY)
  })

  await test.step('the pages of admins are not theirs', async () => {
    await page.goto('/admin')
    await expect(page.getByRole('main')).toContainText('This page is only for admins.')
    await page.getByRole('button', { name: 'Settings of victor' }).click()
    await expect(page.getByRole('link', { name: 'My account' })).toBeVisible()
    await expect(page.getByRole('link', { name: 'Administration' })).toHaveCount(0)
  })
})

test('who is in no group that may use SpiderPig is told whom to ask', async ({ page, context, spiderpig }) => {
  const id = await (await signIn(spiderpig, 'alice')).submit('noop')
  await giveSession(context, await signIn(spiderpig, 'mallory'))
  await page.goto(`/jobs/${id}`)
  await expect(page).toHaveURL(`/notauthorized?next=/jobs/${id}`)
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('You do not have access to SpiderPig')
  await expect(page.getByRole('main')).toContainText('You are signed in as mallory')
  await expect(page.getByRole('main')).toContainText('Your groups: gardeners.')
  await expect(page.getByRole('navigation', { name: 'Pages' })).toHaveCount(0)
  await expectGoodLooks(page, 'somebody who may not use SpiderPig')

  await page.getByRole('button', { name: 'Check again' }).click()
  await expect(page.getByRole('main').getByRole('status')).toHaveText('You still have no access.')
  spiderpig.command(['user', 'groups', 'mallory', 'viewers'])
  await expect(async () => {
    await page.getByRole('button', { name: 'Check again' }).click()
    await expect(page).toHaveURL(`/jobs/${id}`, { timeout: 500 })
  }).toPass()
})

test('what only some may start is offered to them', async ({ page, context, spiderpig, pageOf }) => {
  await giveSession(context, await signIn(spiderpig, 'alice'))
  const bobs = await pageOf('bob')
  await Promise.all([page.goto('/'), bobs.goto('/start/guarded')])
  await bobs.getByRole('button', { name: 'Start Switch the database' }).click()
  await expect(bobs).toHaveURL('/jobs/1')

  // What it was is seen by all.
  await expect(historyRow(page, 1)).toContainText('Switch the database')
  const pages = page.getByRole('navigation', { name: 'Pages' })
  await expect(pages.getByRole('link', { name: 'Nothing' })).toBeVisible()
  await expect(pages.getByRole('link', { name: 'Switch the database' })).toHaveCount(0)
  await startPanel(page).getByRole('combobox', { name: 'Job type' }).click()
  await expect(page.getByRole('option', { name: 'Nothing', exact: true })).toBeVisible()
  await expect(page.getByRole('option', { name: 'Switch the database' })).toHaveCount(0)
  await page.goto('/start/guarded')
  await expect(startPanel(page)).toContainText('The job type guarded does not exist')
  await page.goto('/jobs/1')
  await expect(page.getByRole('button', { name: 'Retry job 1' })).toBeDisabled()
})
