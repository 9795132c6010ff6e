import { expectAccessible, expectGoodLooks, expectNoOverflow, lookAt, LOOKS } from '../fixtures/accessible.ts'
import { field, history, prompt, runningJob, startPanel } from '../fixtures/parts.ts'
import { expect, test } from '../fixtures/test.ts'

test('the overview with nothing in it', async ({ page }) => {
  await page.goto('/')
  await expect(page.getByText('No jobs have finished yet.')).toBeVisible()
  await expectGoodLooks(page, 'the empty overview')
})

test('the overview with everything in it', async ({ page, spiderpig }) => {
  const { api } = spiderpig
  const ended = [await api.submit('fail'), await api.submit('kinds', { name: 'abc', tags: ['t'.repeat(300)] })]
  await Promise.all(ended.map((id) => api.reaches(id, 'succeeded', 'failed')))
  const asking = await api.submit('backport', {
    change_url: ['42', `https://gerrit.example.org/r/c/${'x'.repeat(200)}/+/43`],
  })
  const free = await api.submit('hello')
  const long = await api.submit('long')
  const waiting = await api.submit('long')
  await api.prompt(asking)
  await api.prompt(free)
  await api.reaches(long, 'running')
  await page.goto('/')
  await expect(prompt(page, asking)).toBeVisible()
  await expect(prompt(page, free)).toBeVisible()
  await expect(page.getByRole('region', { name: 'Waiting' })).toContainText(`Job ${waiting}`)
  await expect(history(page).getByRole('rowheader')).toHaveCount(2)
  await expectGoodLooks(page, 'the full overview')

  await runningJob(page, long)
    .getByRole('button', { name: `Kill job ${long}` })
    .click()
  await expect(page.getByRole('dialog')).toBeVisible()
  await expectGoodLooks(page, 'the question whether to kill')
})

test('a form, with what is wrong with it, and what it would execute', async ({ page }) => {
  await page.goto('/start/kinds')
  await page.getByRole('button', { name: 'Start All kinds of parameters' }).click()
  await expect(field(page, 'Name')).toHaveAttribute('aria-invalid', 'true')
  await field(page, 'Count').fill('many')
  await field(page, 'Tags').fill('one')
  await field(page, 'Tags').press('Enter')
  await expectGoodLooks(page, 'a wrong form')

  await field(page, 'Name').fill('alice')
  await field(page, 'Count').fill('1')
  await page.getByRole('button', { name: 'Preview the command' }).click()
  await expect(page.getByRole('region', { name: 'Command preview' })).toBeVisible()
  await expectGoodLooks(page, 'a dry run')
})

test('the boxes of the header, and lists to choose from', async ({ page }) => {
  await page.goto('/')
  for (const look of LOOKS) {
    await lookAt(page, look)
    await startPanel(page).getByRole('combobox', { name: 'Job type' }).click()
    await expect(page.getByRole('listbox')).toBeVisible()
    await expectNoOverflow(page)
    await expectAccessible(page, `the job types to choose from, ${look.name}`)
    await page.keyboard.press('Escape')
    await page.getByRole('button', { name: 'Settings of alice' }).click()
    await expect(page.getByRole('dialog', { name: 'Settings of alice' })).toBeVisible()
    await expectNoOverflow(page)
    await expectAccessible(page, `the settings, ${look.name}`)
    await page.keyboard.press('Escape')
  }
})
