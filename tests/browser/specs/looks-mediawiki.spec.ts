import { expectGoodLooks } from '../fixtures/accessible.ts'
import { report, reportErrors, reportTrain } from '../fixtures/monitoring.ts'
import { prompt } from '../fixtures/parts.ts'
import { expect, test } from '../fixtures/test.ts'

test('the train: at rest, with the question whether to move it, and moving', async ({ page, spiderpig }) => {
  reportTrain(spiderpig)
  await page.goto('/mediawiki/train')
  await expect(page.getByRole('heading', { name: 'group2' })).toBeVisible()
  await expectGoodLooks(page, 'the train')

  await page.getByRole('button', { name: 'Promote group1…' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByRole('heading', { name: 'Exclude wikis' }).click()
  await dialog.getByRole('checkbox', { name: 'metawiki' }).check({ force: true })
  await expectGoodLooks(page, 'the question whether to promote')

  await dialog.getByRole('button', { name: 'Promote 10 wikis' }).click()
  await expect(prompt(page, 1)).toContainText('Promote group1')
  await expectGoodLooks(page, 'a train that moves')
})

test('errors of MediaWiki, with a warning that they are old', async ({ page, spiderpig }) => {
  const long = `Exception: ${'Namespace\\Of\\Something\\'.repeat(40)}`
  reportErrors(spiderpig, { [long]: { count: 12_345, versions: ['1.46.0-wmf.2', '1.46.0-wmf.3'] } })
  await page.goto('/mediawiki/logs')
  await expect(page.getByRole('main')).toContainText('12,345 times')
  report(spiderpig, 'mediawiki', 'damaged')
  await expect(page.getByRole('main')).toContainText('This may be old')
  await expectGoodLooks(page, 'the errors')
})
