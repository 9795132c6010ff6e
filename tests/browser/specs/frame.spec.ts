import { expectNoOverflow } from '../fixtures/accessible.ts'
import { reportTrain } from '../fixtures/monitoring.ts'
import { expect, test } from '../fixtures/test.ts'

test('an address that is no page says so, as does a job that does not exist', async ({ page, complaints }) => {
  complaints.expectRefusal(404)
  await page.goto('/no/such/page')
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Not found')
  await expect(page.getByRole('main')).toContainText('/no/such/page')
  await page.goto('/jobs/77')
  await expect(page.getByRole('main')).toContainText('Job 77 does not exist.')
  await page.getByRole('main').getByRole('link', { name: 'overview' }).click()
  await expect(page).toHaveURL('/')
})

test('the theme is that of the system, until another is chosen', async ({ page }) => {
  const scheme = () => page.evaluate(() => getComputedStyle(document.documentElement).colorScheme)
  await page.emulateMedia({ colorScheme: 'dark' })
  await page.goto('/')
  await expect.poll(scheme).toBe('dark')
  await page.getByRole('button', { name: 'Settings of alice' }).click()
  await page.getByRole('radio', { name: 'Light' }).check({ force: true })
  await expect.poll(scheme).toBe('light')
  await page.reload()
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Overview')
  await expect.poll(scheme).toBe('light')
  await page.getByRole('button', { name: 'Settings of alice' }).click()
  await page.getByRole('radio', { name: 'System' }).check({ force: true })
  await expect.poll(scheme).toBe('dark')
})

test('times are in UTC, with local time for who points at them', async ({ page, spiderpig }) => {
  const id = await spiderpig.api.submit('noop')
  const job = await spiderpig.api.reaches(id, 'succeeded')
  await page.goto(`/jobs/${id}`)
  const time = page.getByRole('main').getByRole('time').first()
  const iso = new Date(job.queued_at! * 1000).toISOString()
  await expect(time).toHaveAttribute('datetime', iso)
  await expect(time).toContainText(`${iso.slice(11, 19)} UTC`)
  await expect(time).toHaveAttribute('title', /^Local time: .*GMT\+05:30$/)
})

test('the job types are in the navigation', async ({ page }) => {
  await page.goto('/')
  await page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name: 'Greeting' }).click()
  await expect(page).toHaveURL('/start/hello')
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Greeting')
  await expect(page.getByRole('main')).toBeFocused()
  await page.setViewportSize({ width: 320, height: 600 })
  await page.getByRole('button', { name: 'More', exact: true }).click()
  await page.getByRole('dialog', { name: 'Pages' }).getByRole('link', { name: 'Lines' }).click()
  await expect(page).toHaveURL('/start/lines')
})

test('writing from right to left breaks nothing', async ({ page, spiderpig }) => {
  await page.addInitScript(() => {
    document.addEventListener('DOMContentLoaded', () => (document.documentElement.dir = 'rtl'))
  })
  const id = await spiderpig.api.submit('question')
  await spiderpig.api.prompt(id)
  reportTrain(spiderpig)
  for (const path of ['/', `/jobs/${id}`, '/runner', '/start/kinds', '/mediawiki/train']) {
    await page.goto(path)
    await expect(page.getByRole('heading', { level: 1 })).toBeVisible()
    await expect(page.locator('html')).toHaveAttribute('dir', 'rtl')
    for (const width of [1280, 320]) {
      await page.setViewportSize({ width, height: 800 })
      await expectNoOverflow(page)
    }
  }
})
