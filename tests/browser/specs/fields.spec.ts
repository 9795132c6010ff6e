import { existsSync, writeFileSync } from 'node:fs'

import { field, log, startPanel } from '../fixtures/parts.ts'
import { expect, test } from '../fixtures/test.ts'

test.beforeEach(async ({ page }) => {
  await page.goto('/start/kinds')
})

/** Each wrong value, and what is said of it at its field. */
const WRONG = [
  { name: 'Name', value: '', words: 'This is required and must not be empty' },
  { name: 'Name', value: 'Alice', words: 'This must match the pattern' },
  { name: 'Name', value: '-alice', words: 'This must not begin with' },
  { name: 'Count', value: 'three', words: 'This must be a whole number' },
  { name: 'Count', value: '0', words: 'This must be at least 1' },
  { name: 'Count', value: '10', words: 'This must be at most 9' },
  { name: 'Tags', value: '-x', words: 'must not begin with' },
  { name: 'Changes', value: 'http://', words: 'must be the number of a Gerrit change or its http(s) address' },
]

test('a form that breaks a rule is not sent, and says so at the field', async ({ page, spiderpig }) => {
  for (const { name, value, words } of WRONG) {
    await test.step(`${name}: ${value}`, async () => {
      await page.reload()
      await field(page, 'Name').fill('alice')
      await field(page, name).fill(value)
      await page.getByRole('button', { name: 'Start All kinds of parameters' }).click()
      await expect(field(page, name)).toBeFocused()
      await expect(field(page, name)).toHaveAttribute('aria-invalid', 'true')
      await expect(field(page, name)).toHaveAccessibleDescription(new RegExp(words.replace(/[()]/g, '\\$&')))
      await expect(startPanel(page).getByText(words).filter({ visible: true }).first()).toBeVisible()
    })
  }
  expect(existsSync(spiderpig.path('jobs/1'))).toBe(false)
  expect(spiderpig.read('sequence')).toBe('00000000000000000000\n')
})

test('what only the server knows to be wrong is shown at the field, too', async ({ page, complaints }) => {
  complaints.expectRefusal(422)
  await field(page, 'Name').fill('alice')
  await field(page, 'Word').fill('axe')
  await page.getByRole('button', { name: 'Start All kinds of parameters' }).click()
  await expect(field(page, 'Word')).toBeFocused()
  await expect(field(page, 'Word')).toHaveAccessibleDescription(/must match the pattern/)
  await expect(page).toHaveURL('/start/kinds')
})

test('a refusal of the server is shown above the form, which can be sent again', async ({
  page,
  spiderpig,
  complaints,
}) => {
  complaints.expectRefusal(503)
  writeFileSync(spiderpig.path('sequence'), 'damaged\n')
  await field(page, 'Name').fill('alice')
  await page.getByRole('button', { name: 'Start All kinds of parameters' }).click()
  await expect(startPanel(page).getByRole('alert')).toContainText('Restart spiderpig-runner to repair it')
  await expect(field(page, 'Name')).toHaveValue('alice')

  await spiderpig.killRunner()
  await spiderpig.startRunner()
  await page.getByRole('button', { name: 'Start All kinds of parameters' }).click()
  await expect(page).toHaveURL('/jobs/1')
})

test('all kinds of parameters reach the job, and secrets are masked', async ({ page }) => {
  await field(page, 'Name').fill('alice')
  await field(page, 'Count').fill('4')
  await startPanel(page).getByRole('radio', { name: 'blue' }).check({ force: true })
  await field(page, 'Word').fill('abc')
  await field(page, 'Tags').fill('one tag')
  await field(page, 'Tags').press('Enter')
  await field(page, 'Tags').fill('another')
  await startPanel(page).getByRole('switch', { name: 'Loud' }).check({ force: true })
  await field(page, 'Changes').fill('1, 2')
  await startPanel(page).getByLabel('Password').fill('swordfish')

  await page.getByRole('button', { name: 'Preview the command' }).click()
  const plan = page.getByRole('region', { name: 'Command preview' })
  await expect(plan).toContainText('name=alice')
  await expect(plan).toContainText('No job was started.')
  await expect(plan).not.toContainText('swordfish')

  await page.getByRole('button', { name: 'Start All kinds of parameters' }).click()
  await expect(page).toHaveURL('/jobs/1')
  for (const text of ['name=alice', 'count=4', 'colour=blue', '--word', 'abc', 'one tag,another', '--loud', '1,2']) {
    await expect(log(page, 1).getByText(text, { exact: true })).toBeVisible()
  }
  await page.getByRole('heading', { name: 'Parameters and command' }).click()
  await expect(page.getByRole('main')).toContainText('Password•••')
})

test('a type that cannot be started yet says why', async ({ page, spiderpig, complaints }) => {
  complaints.expectLostConnections()
  await spiderpig.reconfigureApi('\n[job_types.new]\ntitle = "New"\ncommand = ["true"]\n')
  await page.goto('/start/new')
  await expect(page.getByRole('button', { name: 'Start New' })).toBeDisabled()
  await expect(startPanel(page)).toContainText('The job runner does not know this job type yet')
  await page.goto('/start/gone')
  await expect(startPanel(page)).toContainText('The job type gone does not exist')
})
