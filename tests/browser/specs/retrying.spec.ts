import type { Page, Route } from '@playwright/test'

import { history, line, log, logTools } from '../fixtures/parts.ts'
import { exampleErrors, reportErrors, reportTrain } from '../fixtures/monitoring.ts'
import { rowsShown } from '../fixtures/rows.ts'
import { giveSession, signIn } from '../fixtures/people.ts'
import { test as withPeople } from '../fixtures/withPeople.ts'
import { expect, test } from '../fixtures/test.ts'

/** The words with which the API refuses. */
const WORDS = 'Somebody stumbled over a cable'

function refuse(route: Route): Promise<void> {
  return route.fulfill({ status: 503, json: { detail: { code: 'busy', message: WORDS } } })
}

/** The first request of this path is refused, and the others are not. Returns how many there were. */
async function refuseOnce(page: Page, path: RegExp): Promise<() => number> {
  let count = 0
  const isIt = (url: URL) => path.test(url.pathname)
  await page.route(isIt, (route) => {
    count += 1
    return count === 1 ? refuse(route) : route.fallback()
  })
  return () => count
}

test('a log that cannot be loaded says why, and goes on by itself when it can', async ({
  page,
  spiderpig,
  complaints,
}) => {
  complaints.expectRefusal(503)
  const id = await spiderpig.api.submit('lines', { count: 100_000, rate: 100 })
  await page.goto(`/jobs/${id}`)
  await expect(log(page, id)).toContainText('line ')
  const isWindow = (url: URL) => url.pathname.endsWith('/log/records')
  await page.route(isWindow, refuse)
  await expect(log(page, id)).toContainText(`This part of the log could not be loaded: ${WORDS}.`)
  await expect(log(page, id)).toContainText(/Trying again (in \d+ s|now)\./)
  await expect(log(page, id).getByRole('button', { name: 'Try now' })).toBeVisible()
  await page.unroute(isWindow)
  await expect(log(page, id)).not.toContainText(WORDS)
  const last = async () => (await rowsShown(page, id)).at(-1)?.recno ?? 0
  const before = await last()
  await expect.poll(last).toBeGreaterThan(before + 20)
  await spiderpig.api.signal(id, 'interrupt')
})

test('what is refused once is asked for again: a job, its log, its marks, and a search', async ({
  page,
  spiderpig,
  complaints,
}) => {
  complaints.expectRefusal(503)
  const { api } = spiderpig
  const first = await api.submit('hello', { times: 1 })
  await api.answer(first, 'Ada', 'greeted')
  await api.answer(first, 'p', 'How')
  await api.reaches(first, 'succeeded')
  // So many that the stream does not tell of the first one.
  await Promise.all(Array.from({ length: 55 }, () => api.submit('noop')))

  const counts = await Promise.all(
    [/^\/api\/jobs\/\d+$/, /\/log\/records$/, /\/log\/marks$/, /\/log\/search$/].map((path) => refuseOnce(page, path)),
  )
  await page.goto(`/jobs/${first}`)
  await expect(page.getByRole('main')).toContainText(`Job ${first} could not be loaded: ${WORDS}.`)
  await expect(line(page, first, 'Good day, Ada.')).toBeVisible()
  await expect(page.getByRole('group', { name: '2 prompts' })).toBeVisible()
  await page.getByRole('searchbox', { name: 'Search the whole log' }).fill('Ada')
  await expect(logTools(page, first)).toContainText(/\d+ match/)
  await expect(page.getByText(WORDS)).toHaveCount(0)
  for (const count of counts) {
    expect(count()).toBeGreaterThan(1)
  }
})

test('what is refused once is asked for again: who this is, the types, the history, the train and the errors', async ({
  page,
  spiderpig,
  complaints,
}) => {
  complaints.expectRefusal(503)
  const id = await spiderpig.api.submit('noop')
  await spiderpig.api.reaches(id, 'succeeded')
  reportTrain(spiderpig)
  reportErrors(spiderpig)

  await refuseOnce(page, /^\/api\/whoami$/)
  await refuseOnce(page, /^\/api\/job-types$/)
  await refuseOnce(page, /^\/api\/jobs$/)
  await page.goto('/')
  await expect(history(page)).toContainText(`${id}: Nothing`)
  await expect(page.getByRole('button', { name: 'Start MediaWiki backport' })).toBeEnabled()

  await refuseOnce(page, /^\/api\/train\/status$/)
  await refuseOnce(page, /^\/api\/jobs$/)
  await page.goto('/mediawiki/train')
  await expect(page.getByRole('heading', { level: 1 })).toContainText('wmf.')
  await expect(page.getByRole('main')).toContainText('There are no finished train jobs yet.')

  await refuseOnce(page, /^\/api\/monitoring\/logs\/mediawiki$/)
  await page.goto('/mediawiki/logs')
  await expect(page.getByRole('main')).toContainText(`${Object.keys(exampleErrors()).length} messages`)
  await expect(page.getByText(WORDS)).toHaveCount(0)
})

withPeople(
  'what is refused once is asked for again: sessions, tokens, users and the audit trail',
  async ({ page, context, spiderpig, complaints }) => {
    complaints.expectRefusal(503)
    await giveSession(context, await signIn(spiderpig, 'ada'))
    for (const path of [/^\/api\/sessions$/, /^\/api\/tokens$/, /^\/api\/2fa$/]) {
      await refuseOnce(page, path)
    }
    await page.goto('/account')
    await expect(page.getByText(`could not be loaded: ${WORDS}.`).first()).toBeVisible()
    await expect(page.getByText(WORDS)).toHaveCount(0)
    await expect(page.getByText('Loading…')).toHaveCount(0)

    for (const path of [/^\/api\/users$/, /^\/api\/audit$/]) {
      await refuseOnce(page, path)
    }
    await page.goto('/admin')
    await expect(page.getByRole('main')).toContainText('mallory')
    await expect(page.getByText(WORDS)).toHaveCount(0)
    await expect(page.getByText('Loading…')).toHaveCount(0)
  },
)

test('what changes something is sent once, whatever becomes of it', async ({ page, spiderpig, complaints }) => {
  complaints.expectRefusal(503)
  const id = await spiderpig.api.submit('long')
  const count = await refuseOnce(page, /\/signal\/interrupt$/)
  await page.goto(`/jobs/${id}`)
  await page.getByRole('button', { name: `Stop job ${id}` }).click()
  await expect(page.getByText(WORDS).first()).toBeVisible()
  await page.waitForTimeout(3000)
  expect(count()).toBe(1)
  expect((await spiderpig.api.job(id)).state).toBe('running')
})
