import {
  changesOfJob,
  chips,
  choice,
  field,
  historyRow,
  log,
  preflight,
  prompt,
  startPanel,
} from '../fixtures/parts.ts'
import { expect, test } from '../fixtures/withGerrit.ts'

const SKIN = '42 Enable the new skin on group 0'
const ASK_TWICE = '43 Skin: do not ask twice'

test('two changes are deployed, from the form to the end', async ({ page, context, gerrit }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write'])
  await page.goto('/start/backport')

  await test.step('one is typed, found, and taken', async () => {
    await field(page, 'Changes').pressSequentially('42')
    const found = startPanel(page).getByRole('option')
    await expect(found).toHaveText(
      /^\s*42 Enable the new skin on group 0\s*operations\/mediawiki-config · master · Open/,
    )
    await expect(found).toHaveAttribute('aria-selected', 'true')
    await field(page, 'Changes').press('Enter')
    await expect(chips(page, 'Changes')).toContainText([SKIN])
  })

  await test.step('another one is pasted, with one that is there already', async () => {
    const address = gerrit.changeUrl(43, 'mediawiki/core')
    await page.evaluate((text) => navigator.clipboard.writeText(text), `42\n${address}/1/\n`)
    await field(page, 'Changes').press('Control+V')
    await expect(chips(page, 'Changes')).toContainText([SKIN, ASK_TWICE])
  })

  await test.step('nothing speaks against them', async () => {
    await expect(preflight(page)).toContainText('No problems found.')
    await expect(preflight(page).getByRole('link', { name: '43' })).toHaveAttribute('href', `${gerrit.url}c/43`)
    await expect(preflight(page)).toContainText(
      /43\s+Skin: do not ask twice\s+Open\s*in mediawiki\/core\s*on wmf\/1\.46\.0-wmf\.3\s*by Alice Example/,
    )
  })

  await test.step('they are deployed', async () => {
    await page.getByRole('button', { name: 'Start MediaWiki backport' }).click()
    await expect(page).toHaveURL('/jobs/1')
    await expect(prompt(page, 1)).toContainText('Backport the changes?')
    await choice(page, 1, 'Yes').click()
    await expect(prompt(page, 1)).toContainText('Do you want to continue?')
    await choice(page, 1, 'Continue').click()
    await expect(page).toHaveTitle('Job 1: MediaWiki backport – Succeeded · SpiderPig')
    await expect(log(page, 1)).toContainText('exit status 0')
  })

  await test.step('the job knows them', async () => {
    const changes = changesOfJob(page)
    await expect(changes.getByRole('listitem')).toContainText([SKIN, ASK_TWICE])
    await expect(changes.getByRole('link', { name: '42', exact: true })).toHaveAttribute('href', `${gerrit.url}c/42`)
    await changes.getByRole('button', { name: 'Commit message of 43' }).click()
    const message = changes.getByRole('group', { name: 'Commit message of 43' })
    await expect(message.getByRole('link', { name: 'T123456' })).toHaveAttribute('href', /\/T123456$/)
    await expect(message.getByRole('link', { name: /^I[0-9a-f]{40}$/ }).first()).toHaveAttribute('href', /\/r\/q\/I/)
  })

  await test.step('the list names them', async () => {
    await page.goto('/')
    await expect(historyRow(page, 1)).toContainText(`${SKIN}, and 1 more`)
  })
})

test('changes are rolled back from the testservers', async ({ page }) => {
  await page.goto('/?backport=42')
  await expect(chips(page, 'Changes')).toContainText([SKIN])
  await page.getByRole('button', { name: 'Start MediaWiki backport' }).click()
  await choice(page, 1, 'Yes').click()
  await expect(prompt(page, 1)).toContainText('Do you want to continue?')
  await choice(page, 1, 'Roll back').click()

  await expect(page).toHaveTitle('Job 1: MediaWiki backport – Rolled back · SpiderPig')
  const main = page.getByRole('main')
  await expect(main.getByText('Rolled back', { exact: true })).toBeVisible()
  await expect(main).toContainText('rolled back by alice')
  await expect(log(page, 1)).toContainText('alice answered: r')
  await page.goto('/?outcome=rolled_back')
  await expect(historyRow(page, 1)).toContainText('Rolled back')
  await expect(historyRow(page, 1)).toContainText('rolled back by alice')
})

test('who says no to the changes has cancelled, and nothing is green', async ({ page, spiderpig }) => {
  const bob = await spiderpig.apiOf('bob')
  const id = await spiderpig.api.submit('backport', { change_url: ['42'] })
  await page.goto(`/jobs/${id}`)
  await expect(prompt(page, id)).toBeVisible()
  await bob.answer(id, 'n', 'Backport')
  await expect(page).toHaveTitle(`Job ${id}: MediaWiki backport – Cancelled at a prompt · SpiderPig`)
  await expect(page.getByRole('main')).toContainText('cancelled by bob')
  await page.goto('/')
  await expect(historyRow(page, id)).toContainText('Cancelled at a prompt')
  await expect(historyRow(page, id)).toContainText('cancelled by bob')
  await expect(historyRow(page, id)).not.toContainText('Succeeded')
  await expect(historyRow(page, id).locator('.cdx-info-chip--success')).toHaveCount(0)
})
