import { writeFileSync } from 'node:fs'

import { expectAccessible, expectGoodLooks, expectNoOverflow } from '../fixtures/accessible.ts'
import { line, log, logTools, prompt } from '../fixtures/parts.ts'
import { expect, test } from '../fixtures/test.ts'

test('a job that waits in the queue, one that runs, and the question whether to kill it', async ({
  page,
  spiderpig,
}) => {
  const { api } = spiderpig
  const [running, queued] = [await api.submit('long'), await api.submit('long')]
  await page.goto(`/jobs/${queued}`)
  await expect(page.getByRole('main')).toContainText('lane narrow is busy with')
  await expectGoodLooks(page, 'a queued job')
  await page.goto(`/jobs/${running}`)
  await expect(line(page, running, 'I run until I am stopped')).toBeVisible()
  await expectGoodLooks(page, 'a running job')
  await page.getByRole('button', { name: `Kill job ${running}` }).click()
  await expect(page.getByRole('dialog')).toBeVisible()
  await expectGoodLooks(page, 'the question whether to kill')
})

test('a job that asks', async ({ page, spiderpig }) => {
  const { api } = spiderpig
  const [choices, text] = [await api.submit('backport', { change_url: ['42'] }), await api.submit('hello')]
  await page.goto(`/jobs/${choices}`)
  await expect(prompt(page, choices)).toBeVisible()
  await expectGoodLooks(page, 'a choice')
  await page.goto(`/jobs/${text}`)
  await expect(prompt(page, text)).toBeVisible()
  await expectGoodLooks(page, 'a free text')
})

test('a job that has ended, with everything opened', async ({ page, spiderpig }) => {
  const { api } = spiderpig
  const id = await api.submit('backport', { change_url: ['42'], speed: 100_000 })
  await api.answer(id, 'y', 'Backport')
  await api.answer(id, 'c', 'continue')
  await api.reaches(id, 'succeeded')
  await page.goto(`/jobs/${id}#L60-L63`)
  await expect(logTools(page, id)).toContainText('Lines 60 to 63')
  await expectGoodLooks(page, 'a finished job')
  await page.getByRole('heading', { name: /^Phases/ }).click()
  await page.getByRole('heading', { name: 'Parameters and command' }).click()
  await logTools(page, id).getByRole('button', { name: 'Log display options' }).click()
  await logTools(page, id).getByRole('searchbox').fill('sync')
  await logTools(page, id).getByRole('searchbox').press('Enter')
  await expect(log(page, id).locator('mark').first()).toBeVisible()
  await expectGoodLooks(page, 'a finished job with everything opened')
})

test('jobs that failed, were cancelled, have secrets, are lost, or were no jobs', async ({ page, spiderpig }) => {
  const { api } = spiderpig
  const [failed, secret, lost, cancelled] = [
    await api.submit('fail'),
    await api.submit('secret'),
    await api.submit('long'),
    await api.submit('long'),
  ]
  await api.signal(cancelled, 'interrupt')
  await api.reaches(cancelled, 'cancelled')
  await spiderpig.killSupervisor(lost)
  await api.reaches(lost, 'lost')
  await page.goto(`/jobs/${failed}`)
  await expect(page.getByRole('main')).toContainText('exited with status 3')
  await expectGoodLooks(page, 'a failed job')
  await page.getByRole('button', { name: `Retry job ${failed}` }).click()
  await expect(page.getByRole('dialog')).toBeVisible()
  await expectGoodLooks(page, 'the question whether to retry')
  await page.goto(`/jobs/${lost}`)
  await expect(page.getByRole('main')).toContainText('It is unknown whether this job succeeded.')
  await expectGoodLooks(page, 'a lost job')
  // These differ from others in words only, and are looked at on a phone.
  await page.goto(`/jobs/${cancelled}`)
  await expect(page.getByRole('main')).toContainText('Cancelled')
  await expectNoOverflow(page)
  await expectAccessible(page, 'a cancelled job')
  await page.goto(`/jobs/${secret}`)
  await expect(log(page, secret)).toContainText('1 sensitive line is hidden')
  await expectNoOverflow(page)
  await expectAccessible(page, 'a job with secrets')

  writeFileSync(spiderpig.path('sequence'), '00000000000000000005\n')
  writeFileSync(spiderpig.path('queue/5.json'), '{"version": 1, "id": 5, "type": "no such type"}')
  await expect.poll(() => api.job(5).catch(() => null)).toMatchObject({ state: 'rejected' })
  await page.goto('/jobs/5')
  await expect(page.getByRole('main')).toContainText('This job is invalid, so it was not started')
  await expectGoodLooks(page, 'a rejected job')
})
