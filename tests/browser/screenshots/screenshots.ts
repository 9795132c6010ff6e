import { mkdirSync } from 'node:fs'
import { resolve } from 'node:path'

import type { Page } from '@playwright/test'

import type { Api } from '../fixtures/api.ts'
import { byPassword } from '../fixtures/configuration.ts'
import { reportErrors, reportTrain } from '../fixtures/monitoring.ts'
import { changesOfJob, log, preflight, prompt } from '../fixtures/parts.ts'
import { enrol, giveSession, signIn } from '../fixtures/people.ts'
import { SpiderPig } from '../fixtures/spiderpig.ts'
import { expect, test as base } from '../fixtures/test.ts'
import { test as baseWithGerrit } from '../fixtures/withGerrit.ts'
import { JOB_TYPES, TRAIN } from './jobTypes.ts'

const PICTURES = resolve(import.meta.dirname, '../../../docs/screenshots')

const test = base.extend({
  spiderpig: async ({}, use) => {
    const spiderpig = await SpiderPig.start({ jobTypes: JOB_TYPES })
    await use(spiderpig)
    await spiderpig.end()
  },
})

const testWithGerrit = baseWithGerrit.extend({
  spiderpig: async ({ gerritUrl }, use) => {
    const spiderpig = await SpiderPig.start({ jobTypes: JOB_TYPES + TRAIN, gerritUrl })
    await use(spiderpig)
    await spiderpig.end()
  },
})

const testWithPeople = base.extend({
  startOptions: async ({}, use) => {
    const people = { ada: ['admins'], alice: ['deployers'], bob: ['deployers', 'databases'] }
    await use({ auth: byPassword(true), people, jobTypes: JOB_TYPES })
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

testWithGerrit('pictures of changes and of the train', async ({ page, spiderpig }) => {
  const { api } = spiderpig
  reportTrain(spiderpig)
  reportErrors(spiderpig)
  const job = await api.submit('backport', { change_url: ['42', '43'], speed: 400 })
  await api.answer(job, 'y', 'Backport')
  await api.answer(job, 'r', 'continue')
  await api.reaches(job, 'failed')

  await page.goto('/start/backport?change_url=42&change_url=103&change_url=202')
  await expect(preflight(page)).toContainText('1 blocker, 1 warning.')
  await take(page, 'start-light', { width: 600, height: 1270 })

  await page.goto(`/jobs/${job}`)
  await expect(changesOfJob(page)).toContainText('Enable the new skin')
  await expect(log(page, job)).toContainText('exit status')
  await take(page, 'rolled-back-light')

  await page.goto('/mediawiki/train')
  await expect(page.getByRole('heading', { name: 'Groups' })).toBeVisible()
  await take(page, 'train-light', { width: 1280, height: 700 })
})

/** What browsers say of themselves. */
const FIREFOX = 'Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0'
const PHONE_CHROME = 'Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 Chrome/142.0.0.0 Mobile Safari/537.36'

testWithPeople('pictures of signing in, of an account, and of who did what', async ({ page, context, spiderpig }) => {
  await page.goto('/login')
  await expect(page.getByRole('button', { name: 'Sign in', exact: true })).toBeEnabled()
  await take(page, 'sign-in-light', { width: 640, height: 480 })
  await take(page, 'sign-in-dark', { width: 640, height: 480 }, 'dark')

  await giveSession(context, await signIn(spiderpig, 'bob'))
  await page.goto('/enrol')
  await expect(page.getByRole('img', { name: /QR/ })).toBeVisible()
  await take(page, 'enrol-light', { width: 640, height: 1000 })

  const ada = await enrol(spiderpig, 'ada', FIREFOX)
  const { client: alice, app } = await enrol(spiderpig, 'alice', FIREFOX)
  const half = await signIn(spiderpig, 'alice', PHONE_CHROME)
  await half.request('/api/2fa', { method: 'POST', body: await app.code() })
  const scopes = ['--scope', 'read', '--scope', 'start:backport']
  const token = ['token', 'create', '--user', 'alice', '--name', 'nightly', '--expires', '30d', ...scopes]
  spiderpig.command(token, { user: 'ada' })
  await giveSession(context, alice)
  await page.goto('/account')
  await expect(page.getByRole('region', { name: 'Sessions' }).getByRole('heading', { level: 3 })).toHaveCount(2)
  await expect(page.getByRole('heading', { name: 'nightly' })).toBeVisible()
  await take(page, 'account-light', { width: 1120, height: 1220 })

  const job = await alice.submit('backport', { change_url: ['1098355'], speed: 400 })
  await alice.answer(job, 'y', 'Backport')
  await expect(signIn(spiderpig, 'bob', FIREFOX, 'not the password')).rejects.toThrow('401')
  await ada.client.answer(job, 'r', 'continue')
  await alice.reaches(job, 'failed')
  await ada.client.post('/api/runner/pause', { reason: 'Database switchover, see T123456' })
  await ada.client.post('/api/runner/resume', {})
  await giveSession(context, ada.client)
  await page.goto('/admin')
  await expect(page.getByRole('region', { name: 'Audit trail' })).toContainText('ada paused the job runner')
  await expect(page.getByRole('link', { name: /^Job runner: Idle/ })).toBeVisible()
  // The list of users may be long. What was done is below it.
  await page.setViewportSize({ width: 1120, height: 1060 })
  await page
    .getByRole('listitem')
    .filter({ has: page.getByRole('heading', { name: 'bob' }) })
    .evaluate((user) => {
      window.scrollTo({ top: user.getBoundingClientRect().top + window.scrollY - 64, behavior: 'instant' })
    })
  await take(page, 'admin-light', { width: 1120, height: 1060 })
})
