import type { Page } from '@playwright/test'

import { recordNotices, noticesOf } from '../fixtures/notices.ts'
import { choice, prompt } from '../fixtures/parts.ts'
import { expect, test } from '../fixtures/test.ts'

/** Opens the settings of the person, and switches something on. */
async function switchOn(page: Page, name: string): Promise<void> {
  await page.getByRole('button', { name: 'Settings of alice' }).click()
  await page.getByRole('switch', { name }).check({ force: true })
  await page.keyboard.press('Escape')
}

test('who started a job is told when it asks and when it ends', async ({ page, spiderpig }) => {
  await recordNotices(page)
  await page.goto('/runner')
  await switchOn(page, 'Notifications')
  await switchOn(page, 'Sound')
  const sounds = () => page.evaluate(() => window.sounds)
  const before = await sounds()

  const id = await spiderpig.api.submit('question')
  await expect
    .poll(() => noticesOf(page))
    .toEqual([{ title: `Job ${id} asks`, body: 'Deploy to all wikis?', isOpen: true }])
  await expect.poll(sounds).toBeGreaterThan(before)
  await expect(page).toHaveTitle(/^\(1\) ❓ /)
  await expect(page.locator('link[rel="icon"]')).toHaveAttribute('href', /favicon-alert/)

  await page.evaluate(() => window.notices[0]!.click())
  await expect(page).toHaveURL(`/jobs/${id}`)
  await choice(page, id, 'Deploy').click()
  await page.getByRole('link', { name: /^Job runner/ }).click()
  await expect(page).not.toHaveTitle(/❓/)
  await expect(page.locator('link[rel="icon"]')).not.toHaveAttribute('href', /favicon-alert/)
  await expect
    .poll(() => noticesOf(page))
    .toContainEqual(expect.objectContaining({ title: `Job ${id} asks`, isOpen: false }))
})

test('the end of a job is told', async ({ page, spiderpig }) => {
  await recordNotices(page)
  await page.goto('/runner')
  await switchOn(page, 'Notifications')
  const id = await spiderpig.api.submit('fail')
  await expect
    .poll(() => noticesOf(page))
    .toContainEqual({
      title: `Job ${id} failed`,
      body: [
        'failed in the phase “Checking the canaries”: exited with status 3',
        'ERROR: 3 of 11 canaries do not answer',
        'A failure by alice',
      ].join('\n'),
      isOpen: true,
    })
})

test('a prompt is told once, in whichever tab, and its notification closes when it is answered', async ({
  page,
  context,
  spiderpig,
}) => {
  await recordNotices(page)
  await page.goto('/runner')
  await switchOn(page, 'Notifications')
  const other = await context.newPage()
  await recordNotices(other)
  await other.goto('/')
  const id = await spiderpig.api.submit('question')
  await expect(prompt(other, id)).toBeVisible()
  const all = async () => (await Promise.all([page, other].map(noticesOf))).flat()
  await expect.poll(all).toHaveLength(1)
  await spiderpig.api.answer(id, 's')
  await expect
    .poll(async () => (await all()).filter(({ isOpen, title }) => isOpen && title.endsWith('asks')))
    .toEqual([])
  // The end is told, too: by then both tabs have had their chance to tell of the prompt twice.
  await expect
    .poll(async () => (await all()).map(({ title }) => title).sort())
    .toEqual([`Job ${id} asks`, `Job ${id} succeeded`])
})

test('of the jobs of others only those are told that one watches', async ({ page, spiderpig }) => {
  const bob = await spiderpig.apiOf('bob')
  const watched = await bob.submit('question')
  await bob.prompt(watched)
  await recordNotices(page)
  await page.goto(`/jobs/${watched}`)
  await expect(page).not.toHaveTitle(/❓/)
  await page.getByRole('button', { name: 'Watch' }).click()
  await expect(page).toHaveTitle(/^\(1\) ❓ /)
  await page.getByRole('link', { name: /^Job runner/ }).click()
  await switchOn(page, 'Notifications')

  const other = await bob.submit('question')
  await bob.prompt(other)
  await bob.signal(watched, 'interrupt')
  await expect
    .poll(() => noticesOf(page))
    .toContainEqual(expect.objectContaining({ title: `Job ${watched} asks`, body: 'Roll back what was done?' }))
  expect((await noticesOf(page)).filter(({ title }) => title.includes(`Job ${other} `))).toEqual([])
  await expect(page).toHaveTitle(/^\(1\) ❓ /)
})

test('a browser that blocks notifications says so', async ({ page }) => {
  await recordNotices(page, 'denied')
  await page.goto('/')
  await page.getByRole('button', { name: 'Settings of alice' }).click()
  await expect(page.getByText('The browser blocks notifications from this page.')).toBeVisible()
})
