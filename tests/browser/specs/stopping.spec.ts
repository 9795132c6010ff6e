import { historyRow, log, runningJob } from '../fixtures/parts.ts'
import { expect, test } from '../fixtures/test.ts'

test('a job is stopped', async ({ page, spiderpig }) => {
  const id = await spiderpig.api.submit('long')
  await page.goto('/')
  await runningJob(page, id)
    .getByRole('button', { name: `Stop job ${id}` })
    .click()
  await expect(historyRow(page, id)).toContainText(/Stopped\s*interrupted by alice/)
  await page.goto(`/jobs/${id}`)
  await expect(page).toHaveTitle(`Job ${id}: A long job – Stopped · SpiderPig`)
  await expect(page.getByRole('main')).toContainText('interrupted by alice, in the phase “Taking its time”')
  await expect(log(page, id)).toContainText('alice interrupted')
})

test('a job that does not stop is killed, after a question', async ({ page, spiderpig }) => {
  const id = await spiderpig.api.submit('stubborn')
  await page.goto(`/jobs/${id}`)
  await expect(log(page, id)).toContainText('I do not mind being interrupted')
  await page.getByRole('button', { name: `Stop job ${id}` }).click()
  await expect(log(page, id)).toContainText('Interrupted, and I do not mind')
  await expect(page.getByRole('button', { name: `Stop again job ${id}` })).toBeVisible()

  const kill = page.getByRole('button', { name: `Kill job ${id}, A stubborn job` })
  const dialog = page.getByRole('dialog', { name: `Kill job ${id}?` })
  await kill.click()
  await dialog.getByRole('button', { name: 'Leave it running' }).click()
  await expect(dialog).toBeHidden()
  await expect(kill).toBeFocused()
  expect((await spiderpig.api.job(id)).state).toBe('stopping')

  await kill.click()
  await dialog.getByRole('button', { name: `Kill job ${id}` }).click()
  await expect(dialog).toBeHidden()
  await expect(page.getByRole('main')).toContainText(/Stopped\s*killed by alice/)
  await expect(log(page, id)).toContainText('alice killed')
  await expect(log(page, id)).toContainText('ended by signal 9')
})

test('a job that waits is cancelled', async ({ page, spiderpig }) => {
  const first = await spiderpig.api.submit('long')
  const second = await spiderpig.api.submit('long')
  await page.goto('/')
  const waiting = page.getByRole('region', { name: 'Waiting' })
  await expect(waiting).toContainText(`Waits: lane narrow is busy with job ${first} of alice`)
  await waiting.getByRole('button', { name: `Cancel job ${second}` }).click()
  await expect(waiting).toContainText('Nothing is waiting.')
  await page.goto(`/jobs/${second}`)
  await expect(page.getByRole('main')).toContainText('Cancelled')
  await expect(page.getByRole('main')).toContainText('by alice')
})

test('a job is started again as it was', async ({ page, spiderpig }) => {
  const id = await spiderpig.api.submit('kinds', { name: 'abc', count: 7 })
  await spiderpig.api.reaches(id, 'succeeded')
  await page.goto(`/jobs/${id}`)
  await page.getByRole('button', { name: `Retry job ${id}` }).click()
  const dialog = page.getByRole('dialog', { name: 'Start All kinds of parameters again?' })
  await expect(dialog).toContainText('abc')
  await dialog.getByRole('button', { name: 'Start a new job' }).click()
  await expect(page).toHaveURL(`/jobs/${id + 1}`)
  await expect(log(page, id + 1)).toContainText('count=7')
  await page.getByRole('link', { name: `job ${id}`, exact: true }).click()
  await expect(page).toHaveURL(`/jobs/${id}`)
})

test('a job that may not be started again says why', async ({ page, spiderpig }) => {
  const id = await spiderpig.api.submit('once')
  await spiderpig.api.reaches(id, 'succeeded')
  await page.goto(`/jobs/${id}`)
  await expect(page.getByRole('button', { name: `Retry job ${id}` })).toBeDisabled()
  await expect(page.getByRole('main')).toContainText('Jobs of this type are not tried again. Start a new one.')
})
