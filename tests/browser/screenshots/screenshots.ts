import { mkdirSync } from 'node:fs'
import { resolve } from 'node:path'

import type { Page } from '@playwright/test'

import type { Api } from '../fixtures/api.ts'
import { log, prompt } from '../fixtures/parts.ts'
import { SpiderPig } from '../fixtures/spiderpig.ts'
import { expect, test as base } from '../fixtures/test.ts'
import { JOB_TYPES } from './jobTypes.ts'

const PICTURES = resolve(import.meta.dirname, '../../../docs/screenshots')

const test = base.extend({
  spiderpig: async ({}, use) => {
    const spiderpig = await SpiderPig.start({ jobTypes: JOB_TYPES })
    await use(spiderpig)
    await spiderpig.end()
  },
})

/** In bytes: they are in every clone. */
const MOST = 150_000

const WIDE = { width: 1280, height: 800 }
const TALL = { width: 1280, height: 1060 }
const PHONE = { width: 390, height: 844 }

/** Takes a picture, with nothing in it that is about to go. */
async function take(page: Page, name: string, size = WIDE, theme: 'light' | 'dark' = 'light'): Promise<void> {
  await page.setViewportSize(size)
  await page.emulateMedia({ colorScheme: theme, reducedMotion: 'reduce' })
  await page.mouse.move(0, 0)
  mkdirSync(PICTURES, { recursive: true })
  const picture = await page.screenshot({ path: `${PICTURES}/${name}.png`, animations: 'disabled', caret: 'hide' })
  expect(picture.length, `bytes of ${name}`).toBeLessThanOrEqual(MOST)
}

/** Runs what is in the history of every place. */
async function makeHistory(spiderpig: SpiderPig, alice: Api, bob: Api): Promise<void> {
  const backport = async (api: Api, changes: string[], answers: [string, string]): Promise<void> => {
    const id = await api.submit('backport', { change_url: changes, speed: 400 })
    await api.answer(id, answers[0], 'Backport')
    await api.answer(id, answers[1], 'continue')
    await api.reaches(id, 'succeeded', 'failed')
  }
  const short = async (api: Api, type: string, params: Record<string, unknown>): Promise<void> => {
    await api.reaches(await api.submit(type, params), 'succeeded', 'failed')
  }
  await short(bob, 'restart', { service: 'mathoid' })
  await backport(alice, ['1098231', '1098244'], ['y', 'c'])
  await short(alice, 'restart', { service: 'cxserver' })
  await backport(bob, ['1098307'], ['y', 'r'])
  const stopped = await bob.submit('purge', { pages: 5000 })
  await bob.reaches(stopped, 'running')
  await alice.signal(stopped, 'interrupt')
  await bob.reaches(stopped, 'failed')
  await backport(alice, ['1098310'], ['y', 'c'])
  await short(bob, 'purge', { pages: 10 })
  expect(spiderpig.read('history.jsonl').trimEnd().split('\n')).toHaveLength(7)
}

test('pictures of the main pages', async ({ page, spiderpig }) => {
  const alice = spiderpig.api
  const bob = await spiderpig.apiOf('bob')
  await makeHistory(spiderpig, alice, bob)

  const job = await alice.submit('backport', { change_url: ['1098355'] })
  await alice.answer(job, 'y', 'Backport')
  await alice.prompt(job, 'continue')

  await page.goto('/')
  await expect(prompt(page, job)).toBeVisible()
  await expect(page.getByRole('region', { name: 'History', exact: true }).getByRole('rowheader')).toHaveCount(7)
  await take(page, 'overview-light', TALL)
  await take(page, 'overview-dark', TALL, 'dark')
  await take(page, 'overview-phone', PHONE)

  await page.setViewportSize(WIDE)
  await page.goto(`/jobs/${job}`)
  await expect(prompt(page, job).getByRole('button', { name: /^Continue/ })).toBeEnabled()
  await expect(log(page, job)).toContainText('Do you want to continue?')
  await take(page, 'job-light')
  await take(page, 'job-dark', WIDE, 'dark')
  await take(page, 'job-phone', PHONE)

  const waiting = await bob.submit('backport', { change_url: ['1098360', '1098361'] })
  const purge = await bob.submit('purge', { pages: 600 })
  await page.goto('/runner')
  await expect(page.getByRole('region', { name: 'Lane caches' })).toContainText(`Job ${purge}`)
  await expect(page.getByRole('region', { name: 'Lane mediawiki' })).toContainText(`Job ${waiting}`)
  await take(page, 'runner-light', { width: 1280, height: 760 })
})
