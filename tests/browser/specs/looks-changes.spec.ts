import { expectGoodLooks } from '../fixtures/accessible.ts'
import { changesOfJob, chips, preflight, prompt, startPanel } from '../fixtures/parts.ts'
import { expect, test } from '../fixtures/withGerrit.ts'

test('changes in a form, with what speaks against them, and in a job', async ({ page }) => {
  await page.goto('/start/backport?change_url=104&change_url=112&change_url=202&change_url=999')
  await expect(chips(page, 'Changes')).toContainText(['104 Breaks the tests', '112', '202', '999'])
  await expect(preflight(page)).toContainText('Change 112 depends on 107 by way of 113')
  await expectGoodLooks(page, 'a form with changes')

  await startPanel(page).getByRole('checkbox', { name: 'Start anyway' }).check({ force: true })
  await page.getByRole('button', { name: 'Start MediaWiki backport' }).click()
  await changesOfJob(page).getByRole('button', { name: 'Commit message of 112' }).click()
  await expect(changesOfJob(page).getByRole('group', { name: 'Commit message of 112' })).toBeVisible()
  await expect(prompt(page, 1)).toBeVisible()
  await expectGoodLooks(page, 'a job with changes')
})
