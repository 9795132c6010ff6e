import type { Page } from '@playwright/test'

import { expectGoodLooks } from '../fixtures/accessible.ts'
import { HoldingProxy } from '../fixtures/holdingProxy.ts'
import { log, runningJob } from '../fixtures/parts.ts'
import { rowsShown } from '../fixtures/rows.ts'
import type { SpiderPig } from '../fixtures/spiderpig.ts'
import { expect, test } from '../fixtures/test.ts'
import { until } from '../fixtures/until.ts'

/** How many streams of events are open at the API. */
async function streams({ api }: SpiderPig): Promise<number> {
  const text = await (await api.request('/metrics')).text()
  return Number(/http_streams\{[^}]*events[^}]*\} (\d+)/.exec(text)?.[1] ?? NaN)
}

/** When signals were delivered to a job, in milliseconds since the epoch, by its log. */
function signalsOf(spiderpig: SpiderPig, id: number): number[] {
  const records = spiderpig.read(`jobs/${id}/log.jsonl`).split('\n').slice(0, -1)
  return records
    .map((record) => JSON.parse(record) as { type: string; time: string })
    .filter(({ type }) => type === 'signal')
    .map(({ time }) => Date.parse(time))
}

/** When a tab was clicked at next, by its own clock. To be called before. */
async function watchClick(tab: Page): Promise<() => Promise<number>> {
  const key = 'clickedAt'
  const note = (name: string) =>
    addEventListener('click', () => Object.assign(globalThis, { [name]: Date.now() }), { capture: true, once: true })
  await tab.evaluate(note, key)
  return () => tab.evaluate((name) => (globalThis as unknown as Record<string, number>)[name]!, key)
}

/** Takes one of the browser's connections, for as long as the tab is there. */
async function holdConnection(tab: Page, id: number): Promise<void> {
  await tab.evaluate(async (url) => {
    const reader = (await fetch(url)).body!.getReader()
    Object.assign(globalThis, { reader })
    await reader.read()
  }, `/api/jobs/${id}/log?format=text`)
}

/** The number of the last record that a tab shows. */
const last = async (page: Page, id: number) => (await rowsShown(page, id)).at(-1)?.recno ?? 0

async function expectToMove(page: Page, id: number): Promise<void> {
  await expect(log(page, id)).toContainText('line ')
  const before = await last(page, id)
  await expect.poll(() => last(page, id), { timeout: 20_000 }).toBeGreaterThan(before)
}

test('twenty tabs share one stream: each log moves, a stop arrives, and others go on without the first', async ({
  page,
  context,
  spiderpig,
}) => {
  test.setTimeout(240_000)
  const { api } = spiderpig
  const [one, two] = [
    await api.submit('lines', { count: 1_000_000, rate: 5 }),
    await api.submit('lines', { count: 1_000_000, rate: 5 }),
  ]
  const tabs = [page]
  for (let count = 1; count < 20; count += 1) {
    tabs.push(await context.newPage())
  }
  const jobOf = (place: number) => (place % 2 === 0 ? one : two)
  for (const [place, tab] of tabs.entries()) {
    await tab.goto(`/jobs/${jobOf(place)}`)
  }
  for (const [place, tab] of tabs.entries()) {
    await expectToMove(tab, jobOf(place))
  }
  await expect.poll(() => streams(spiderpig)).toBe(1)

  await test.step('the tab that listens is closed', async () => {
    await tabs.shift()!.close()
    for (const place of [0, 9, 18]) {
      await expectToMove(tabs[place]!, jobOf(place + 1))
    }
    await expect.poll(() => streams(spiderpig)).toBe(1)
  })

  await test.step('the tab that listens crashes', async () => {
    const crashed = tabs.shift()!
    const crash = crashed.waitForEvent('crash')
    void crashed.goto('chrome://crash').catch(() => undefined)
    await crash
    for (const place of [0, 9, 17]) {
      await expectToMove(tabs[place]!, jobOf(place + 2))
    }
  })

  await test.step('a stop arrives at once', async () => {
    const tab = tabs[10]!
    const id = jobOf(12)
    await tab.bringToFront()
    const clickedAt = await watchClick(tab)
    await tab.getByRole('button', { name: `Stop job ${id}` }).click()
    await until('the stop has arrived', () => signalsOf(spiderpig, id).length > 0)
    expect(signalsOf(spiderpig, id)[0]! - (await clickedAt())).toBeLessThan(1000)
    for (const place of [0, 10]) {
      await expect(log(tabs[place]!, id)).toContainText('alice interrupted', { timeout: 20_000 })
    }
  })
  await api.signal(one, 'kill').catch(() => undefined)
  await api.signal(two, 'kill').catch(() => undefined)
})

test('a stop for which there is no connection says so, can be cancelled, and is sent once when there is one', async ({
  page,
  context,
  spiderpig,
}) => {
  const { api } = spiderpig
  const [id, other] = [await api.submit('long'), await api.submit('lines', { count: 1_000_000, rate: 5 })]
  await page.goto(`/jobs/${id}`)
  await expect(log(page, id)).toContainText(/./)
  const holders: Page[] = []
  for (let count = 0; count < 5; count += 1) {
    const holder = await context.newPage()
    await holder.goto('/runner')
    holders.push(holder)
  }
  // The sixth connection has the stream that all tabs share.
  await expect.poll(() => streams(spiderpig)).toBe(1)
  for (const holder of holders) {
    await holdConnection(holder, other)
  }

  await page.bringToFront()
  const stop = page.getByRole('button', { name: `Stop job ${id}` })
  const notice = page.getByRole('region', { name: 'Waiting for a connection' })
  await stop.click()
  await expect(notice).toContainText('Your request is sent as soon as one is free.', { timeout: 3000 })
  await expectGoodLooks(page, 'a request that waits for a connection')
  await notice.getByRole('button', { name: 'Cancel' }).click()
  await expect(notice).toBeHidden()
  await expect(page.getByRole('main')).toContainText('Not sent')
  await stop.click()
  await expect(notice).toBeVisible({ timeout: 3000 })
  expect(signalsOf(spiderpig, id)).toEqual([])

  await holders.pop()!.close()
  await expect(notice).toBeHidden()
  await until('the stop has arrived', () => signalsOf(spiderpig, id).length > 0)
  await api.reaches(id, 'failed', 'cancelled')
  await expect(log(page, id)).toContainText('alice interrupted')
  expect(signalsOf(spiderpig, id)).toHaveLength(1)
  await api.signal(other, 'kill').catch(() => undefined)
})

test('behind a proxy that holds live updates the page says so, asks, and is live when it lets them through', async ({
  spiderpig,
  anotherBrowser,
  complaints,
}) => {
  test.setTimeout(120_000)
  complaints.expectLostConnections()
  // Nobody tells of a train.
  complaints.expectRefusal(503)
  const proxy = await HoldingProxy.start(spiderpig.api.url)
  try {
    const page = await anotherBrowser(proxy.url)
    await page.goto('/')
    const banner = page.getByRole('region', { name: 'Connection' })
    await expect(banner).toContainText('Connecting')
    await expect(banner).toContainText('No live updates', { timeout: 20_000 })
    await expect(banner).toContainText('proxy_buffering off')
    const id = await spiderpig.api.submit('question')
    await expect(runningJob(page, id)).toContainText('Deploy', { timeout: 40_000 })
    await expectGoodLooks(page, 'live updates that are held')
    proxy.isHolding = false
    await expect(banner).toBeHidden({ timeout: 60_000 })
  } finally {
    await proxy.end()
  }
})
