import { mkdirSync } from 'node:fs'

import { choice } from '../fixtures/parts.ts'
import { expect, test } from '../fixtures/test.ts'

test('new jobs are paused with a reason, and resumed', async ({ page, spiderpig, anotherBrowser }) => {
  const { api } = spiderpig
  const running = await api.submit('question')
  await api.prompt(running)
  await page.goto('/runner')
  await page.getByRole('button', { name: 'Pause' }).click()
  const reason = page.getByRole('textbox', { name: 'Reason' })
  await expect(page.getByText('Enter a reason').filter({ visible: true }).first()).toBeVisible()
  await reason.fill('database switchover')
  await page.getByRole('button', { name: 'Pause' }).click()
  await expect(page.getByRole('button', { name: 'Resume' })).toBeVisible()
  expect(spiderpig.read('paused')).toContain('database switchover')

  const other = await anotherBrowser(api.url)
  await other.goto('/')
  await expect(other.getByText('no new jobs start. database switchover')).toBeVisible()
  await expect(other.getByRole('link', { name: /^Job runner: Paused: database switchover/ })).toBeVisible()
  const waiting = await api.submit('noop')
  await expect(other.getByRole('region', { name: 'Waiting' })).toContainText(`Job ${waiting}: Nothing`)
  // What runs goes on.
  await choice(other, running, 'Deploy').click()
  await api.reaches(running, 'succeeded')

  await page.getByRole('button', { name: 'Resume' }).click()
  await expect(page.getByRole('button', { name: 'Pause' })).toBeVisible()
  await expect(other.getByRole('link', { name: 'Job runner: Idle' })).toBeVisible()
  await api.reaches(waiting, 'succeeded')
})

test('the lanes show who holds them, and what waits and why', async ({ page, spiderpig }) => {
  const { api } = spiderpig
  const first = await api.submit('long')
  const second = await api.submit('long')
  await page.goto('/runner')
  const lane = page.getByRole('region', { name: 'Lane narrow' })
  await expect(lane).toContainText(`Job ${first}: A long job of alice`)
  await expect(lane.getByRole('listitem').last()).toContainText(`lane narrow is busy with job ${first} of alice`)
  await lane.getByRole('link', { name: `Job ${second}` }).click()
  await expect(page).toHaveURL(`/jobs/${second}`)
  await expect(page.getByRole('main')).toContainText(`lane narrow is busy with job ${first} of alice`)
  await api.signal(first, 'interrupt')
  await expect(page.getByRole('main')).toContainText('Running')
})

test('problems that the runner reports are shown', async ({ page, spiderpig }) => {
  await page.goto('/runner')
  await expect(page.getByRole('region', { name: 'State' })).toContainText('Problemsnone')
  mkdirSync(spiderpig.path('lanes/wide.1.lock'))
  await spiderpig.api.submit('noop')
  await expect(page.getByRole('region', { name: 'Problems', exact: true })).toContainText('lanes/wide')
})
