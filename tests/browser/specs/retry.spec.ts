import { changesOfJob, choice, historyRow, prompt } from '../fixtures/parts.ts'
import { expect, test } from '../fixtures/withGerrit.ts'

test('a job is tried again, also while Gerrit is away, and both know of each other', async ({
  page,
  spiderpig,
  gerrit,
  complaints,
}) => {
  const { api } = spiderpig
  const first = await api.submit('backport', { change_url: ['42'] })
  await api.answer(first, 'n', 'Backport')
  await api.reaches(first, 'failed')
  const [second, third] = [first + 1, first + 2]
  const dialog = page.getByRole('dialog', { name: 'Start MediaWiki backport again?' })
  const facts = page.getByRole('main')

  await test.step('it has the same parameters, and what Gerrit says now', async () => {
    await page.goto(`/jobs/${first}`)
    await page.getByRole('button', { name: `Retry job ${first}` }).click()
    await expect(dialog).toContainText('42')
    await dialog.getByRole('button', { name: 'Start a new job' }).click()
    await expect(page).toHaveURL(`/jobs/${second}`)
    await expect(changesOfJob(page)).toContainText('Enable the new skin on group 0')
    await expect(facts).toContainText(`Retry of`)
  })

  await test.step('without Gerrit it is refused, and started by who says so', async () => {
    await choice(page, second, 'No').click()
    await expect(page).toHaveTitle(/Cancelled at a prompt/)
    await gerrit.kill()
    complaints.expectRefusal(502)
    await page.getByRole('button', { name: `Retry job ${second}` }).click()
    await dialog.getByRole('button', { name: 'Start a new job' }).click()
    await expect(dialog).toContainText(/Gerrit at http:\/\/\S+ cannot be asked/)
    await dialog.getByRole('button', { name: 'Start anyway' }).click()
    await expect(page).toHaveURL(`/jobs/${third}`)
    await expect(changesOfJob(page)).toContainText('Started anyway by alice.')
    await expect(changesOfJob(page)).toContainText('cannot be asked')
    await expect(prompt(page, third)).toBeVisible()
  })

  await test.step('each leads to the others', async () => {
    await page.getByRole('link', { name: `job ${second}`, exact: true }).click()
    await expect(page).toHaveURL(`/jobs/${second}`)
    await expect(facts).toContainText('Retried as')
    await expect(facts.getByRole('link', { name: `job ${first}`, exact: true })).toBeVisible()
    await page.getByRole('link', { name: `job ${third}`, exact: true }).click()
    await expect(page).toHaveURL(`/jobs/${third}`)
    await page.goto('/')
    await expect(historyRow(page, first)).toContainText(new RegExp(`Retried as\\s*job ${second}`))
    await expect(historyRow(page, second)).toContainText(new RegExp(`Retry of\\s*job ${first}`))
  })
})
