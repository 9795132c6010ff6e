import type { Locator, Page } from '@playwright/test'

import { reportTrain } from '../fixtures/monitoring.ts'
import { choice, historyRow, log, prompt } from '../fixtures/parts.ts'
import { expect, test } from '../fixtures/test.ts'

/** A group of the train. */
function group(page: Page, name: string): Locator {
  const heading = page.getByRole('heading', { name, exact: true })
  return page.getByRole('region', { name: 'Groups' }).locator('ol > li').filter({ has: heading })
}

test('a group is promoted without one of its wikis, while others watch, and rolled back', async ({
  page,
  spiderpig,
  anotherBrowser,
}) => {
  reportTrain(spiderpig)
  const bob = await spiderpig.apiOf('bob')
  const bobsPage = await anotherBrowser(bob.url)
  await Promise.all([page.goto('/mediawiki/train'), bobsPage.goto('/mediawiki/train')])
  const dialog = page.getByRole('dialog')

  await test.step('the page tells where the train is', async () => {
    await expect(page).toHaveTitle('Train 1.46.0-wmf.3 · SpiderPig')
    await expect(group(page, 'testwikis')).toContainText('Promoted')
    await expect(group(page, 'group0')).toContainText(/2 wikis\s*Next/)
    await expect(group(page, 'group1')).toContainText('Not yet')
  })

  await test.step('what would change is told before anything does', async () => {
    await group(page, 'group0').getByRole('button', { name: 'Promote group0…' }).click()
    await expect(page.getByRole('dialog', { name: 'Promote group0 to 1.46.0-wmf.3?' })).toBeVisible()
    await expect(dialog).toContainText('2 wikis: 1.46.0-wmf.2 → 1.46.0-wmf.3')
    await expect(dialog).toContainText('mediawikiwiki, officewiki')
    await dialog.getByRole('heading', { name: 'Exclude wikis' }).click()
    await dialog.getByRole('searchbox', { name: 'Find a wiki' }).fill('OFF')
    await dialog.getByRole('checkbox', { name: 'officewiki' }).check({ force: true })
    await expect(dialog).toContainText('1 wiki: 1.46.0-wmf.2 → 1.46.0-wmf.3')
    await expect(dialog).toContainText('officewiki: 1.46.0-wmf.2')
    await dialog.getByRole('button', { name: 'Promote 1 wiki' }).click()
    await expect(dialog).toBeHidden()
  })

  await test.step('the job is followed where it was started, and by others', async () => {
    await expect(page).toHaveURL('/mediawiki/train')
    for (const one of [page, bobsPage]) {
      await expect(prompt(one, 1)).toContainText('Promote group0 to 1.46.0-wmf.3?')
      await expect(one.getByRole('heading', { name: 'Live versions before job 1' })).toBeVisible()
      await expect(one.getByRole('main')).toContainText('Everyone sees this state until the job has ended.')
      await expect(group(one, 'group1').getByRole('button', { name: 'Promote group1…' })).toBeDisabled()
      await expect(one.getByRole('main')).toContainText('Only one train job at a time')
    }
    await choice(page, 1, 'Yes').click()
    await expect(prompt(bobsPage, 1)).toContainText('Check the logs.')
    await expect(log(bobsPage, 1)).toContainText('mediawikiwiki: 1.46.0-wmf.2 → 1.46.0-wmf.3')
    await choice(bobsPage, 1, 'Continue').click()
  })

  await test.step('everybody sees the result', async () => {
    for (const one of [page, bobsPage]) {
      await expect(historyRow(one, 1)).toContainText('Succeeded')
      await expect(group(one, 'group0')).toContainText('Partly promoted')
      await expect(group(one, 'group0')).toContainText('1.46.0-wmf.2 on 1')
      await expect(one.getByRole('heading', { name: 'Live versions' })).toBeVisible()
    }
    expect((await spiderpig.api.job(1)).params).toMatchObject({ group: 'group0', excludedWikis: ['officewiki'] })
  })

  await test.step('the group is rolled back', async () => {
    await group(page, 'group0').getByRole('button', { name: 'Roll back group0…' }).click()
    await expect(page.getByRole('dialog', { name: 'Roll back group0 to 1.46.0-wmf.2?' })).toBeVisible()
    await expect(dialog).toContainText(/1 wiki: 1\.46\.0-wmf\.3 → 1\.46\.0-wmf\.2\s*mediawikiwiki/)
    await dialog.getByRole('button', { name: 'Roll back 1 wiki' }).click()
    await choice(page, 2, 'Yes').click()
    await expect(prompt(page, 2)).toContainText('Check the logs.')
    await choice(page, 2, 'Continue').click()
    await expect(historyRow(page, 2)).toContainText('Succeeded')
    await expect(group(page, 'group0')).toContainText('Next')
    await expect(group(bobsPage, 'group0')).toContainText('Next')
  })
})

test('a promotion that its prompt takes back is told as that, and the train is where it was', async ({
  page,
  spiderpig,
  complaints,
}) => {
  await test.step('nobody has told where the train is', async () => {
    complaints.expectRefusal(503)
    await page.goto('/mediawiki/train')
    await expect(page.getByRole('main')).toContainText('there is no monitoring/train.json in the spool')
  })
  reportTrain(spiderpig)
  await group(page, 'group1').getByRole('button', { name: 'Promote group1…' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Promote 11 wikis' }).click()
  await choice(page, 1, 'Yes').click()
  await expect(prompt(page, 1)).toContainText('Check the logs.')
  await choice(page, 1, 'Roll back').click()
  await expect(historyRow(page, 1)).toContainText(/Rolled back\s*rolled back by alice at the prompt/)
  await expect(group(page, 'group1')).toContainText('Not yet')
})
