import { choice, field, log, logTools, prompt, promptBox, startPanel } from '../fixtures/parts.ts'
import { expect, test } from '../fixtures/test.ts'

test('the demo is started from the form, answered twice, and watched to its end', async ({ page }) => {
  await page.goto('/')
  await field(page, 'Changes').fill('42')
  // What is told of it moves the button.
  await expect(startPanel(page)).toContainText('No Gerrit is configured, so changes are not looked up')
  await page.getByRole('button', { name: 'Start MediaWiki backport' }).click()

  await expect(page).toHaveURL('/jobs/1')
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('MediaWiki backport Job 1')
  await expect(prompt(page, 1)).toContainText('│ 42 │ operations/mediawiki-config │ train-dev │')
  await expect(choice(page, 1, 'No')).toContainText('(default)')
  await choice(page, 1, 'Yes').click()
  await expect(promptBox(page, 1)).toContainText('You answered “Yes”. Delivered.')

  await expect(prompt(page, 1)).toContainText('Do you want to continue?')
  await expect(prompt(page, 1).getByRole('link', { name: 'https://wikitech.wikimedia.org/wiki/Mwdebug' })).toBeVisible()
  await choice(page, 1, 'Continue').click()

  await expect(page.getByRole('main')).toContainText('Succeeded')
  await expect(page).toHaveTitle('Job 1: MediaWiki backport – Succeeded · SpiderPig')
  await expect(log(page, 1)).toContainText('exit status 0')

  await expect(page.getByRole('img', { name: /^Phases: / })).toBeVisible()
  await page.getByRole('heading', { name: /^Phases \(\d+\)/ }).click()
  await page.getByRole('button', { name: 'Sync k8s testservers' }).click()
  await expect(log(page, 1).getByText(/Started sync-testservers-k8s/)).toBeInViewport()
  await logTools(page, 1).getByRole('button', { name: 'Next prompt' }).click()
  await expect(log(page, 1).getByText(/Do you want to continue\?/)).toBeInViewport()
})

test('a job tells what it does, and how far it is', async ({ page, spiderpig }) => {
  const id = await spiderpig.api.submit('long')
  for (const path of ['/', `/jobs/${id}`]) {
    await page.goto(path)
    await expect(page.getByRole('main')).toContainText('Taking its time')
    await expect(page.getByRole('progressbar', { name: `Progress of job ${id}: Steps` })).toHaveAttribute(
      'aria-valuenow',
      '30',
    )
    await expect(page.getByRole('main')).toContainText('30 %3 ok')
  }
})

test('a job is started by a link that fills in the form', async ({ page, spiderpig }) => {
  // The address of the first SpiderPig leads to the form, too.
  await page.goto('/mediawiki/backport')
  await expect(page).toHaveURL('/start/backport')
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('MediaWiki backport')

  await page.goto('/start/backport?change_url=42&change_url=43')
  const changes = startPanel(page).getByRole('list', { name: 'Changes' })
  await expect(changes.getByRole('listitem')).toHaveText([/42/, /43/])
  await changes.getByRole('button', { name: 'Remove 43' }).click()
  await page.getByRole('button', { name: 'Start MediaWiki backport' }).click()
  await expect(page).toHaveURL('/jobs/1')
  expect((await spiderpig.api.job(1)).params).toEqual({ change_url: ['42'], speed: 1000 })
})

test('a type is chosen from the list, which remembers it', async ({ page }) => {
  await page.goto('/')
  await startPanel(page).getByRole('combobox', { name: 'Job type' }).click()
  await page.getByRole('option', { name: 'Nothing', exact: true }).click()
  await page.getByRole('button', { name: 'Start Nothing' }).click()
  await expect(page).toHaveURL('/jobs/1')
  await page.goto('/')
  await expect(page.getByRole('button', { name: 'Start Nothing' })).toBeEnabled()
})
