// What the benchmark suite measures of the page, in a real browser. benches/suite/page.rs starts it:
//
//     node measure.mjs SCENARIO URL
//
// prints one JSON object. The API is that of the suite; nothing here is a test.

import { readFile } from 'node:fs/promises'

import { chromium } from '@playwright/test'

const ARGUMENTS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/** How long anything, and everything, may take, in milliseconds. */
const DEADLINE = 30_000
const END = 120_000

/** Between two turns of the wheel, in milliseconds: about what a hand does. */
const WHEEL_PAUSE = 15

const scenarios = { 'first-page': firstPage, 'big-log': bigLog, flood, prompts }

const [scenario, url] = process.argv.slice(2)
const measure = scenarios[scenario]
if (measure === undefined) {
  throw new Error(`there is no scenario ${scenario}; there is ${Object.keys(scenarios).join(', ')}`)
}
const browser = await chromium.launch({
  executablePath: process.env.SPIDERPIG_CHROMIUM ?? '/usr/bin/chromium',
  args: ARGUMENTS,
})
setTimeout(() => {
  console.error(`${scenario}: waited in vain`)
  process.exit(1)
}, END).unref()
try {
  console.log(JSON.stringify(await measure(url)))
} finally {
  await browser.close()
}

/** Everything that the first page loads, in bytes as they come over the network, and when its heading is there. */
async function firstPage(url) {
  const page = await newPage()
  const session = await page.context().newCDPSession(page)
  await session.send('Network.enable')
  const types = new Map()
  let bytes = 0
  session.on('Network.responseReceived', ({ requestId, type }) => types.set(requestId, type))
  session.on('Network.loadingFinished', ({ requestId, encodedDataLength }) => {
    if (['Document', 'Script', 'Stylesheet', 'Image', 'Font', 'Other'].includes(types.get(requestId))) {
      bytes += encodedDataLength
    }
  })
  await page.goto(url)
  await page.getByRole('heading', { level: 1 }).waitFor()
  const shown = await page.evaluate(() => performance.now())
  await page.waitForLoadState('load')
  return { bytes, shown }
}

/** A finished log of a million lines: when its end is in view, the longest task of much scrolling, and the memory. */
async function bigLog(url) {
  const page = await newPage()
  await page.addInitScript(watchFor, { selector: '[role=log]', pattern: 'line 1000000 of' })
  await page.goto(url)
  const shown = await told(page)
  await page.evaluate(countLongTasks)
  const log = page.getByRole('log')
  await log.hover()
  for (let turn = 0; turn < 200; turn += 1) {
    await page.mouse.wheel(0, turn % 40 < 30 ? -400 : 400)
    await page.waitForTimeout(WHEEL_PAUSE)
  }
  // The scroll bar is dragged here and there.
  for (let place = 0; place <= 40; place += 1) {
    await log.evaluate((element, part) => (element.scrollTop = element.scrollHeight * part), ((place * 17) % 41) / 40)
    await page.waitForTimeout(4 * WHEEL_PAUSE)
  }
  await log.focus()
  await page.keyboard.press('Home')
  await page.getByText('line 1 of').waitFor()
  await page.keyboard.press('End')
  await page.getByText('line 1000000 of').waitFor()
  const longestTask = await page.evaluate(() => globalThis.longestTask)
  return { shown, longestTask, ...(await memory(page)) }
}

/** A job that prints as fast as it is told to: how long the page keeps a person waiting, at worst. */
async function flood(url) {
  const page = await newPage()
  await page.goto(url)
  await page.getByRole('log').getByText('flood').first().waitFor()
  await page.evaluate(countLongTasks)
  const answers = []
  for (let press = 0; press < 20; press += 1) {
    const started = Date.now()
    // A key that does nothing, and a frame after it: what a person waits for whatever they do.
    await page.keyboard.press('Shift')
    await page.evaluate(() => new Promise(requestAnimationFrame))
    answers.push(Date.now() - started)
    await page.waitForTimeout(10 * WHEEL_PAUSE)
  }
  const lag = await page.evaluate(async () => {
    const last = [...document.querySelectorAll('[role=log]')]
      .at(-1)
      .textContent.match(/flood (\d+)/g)
      .at(-1)
    return Date.now() - Number(last.split(' ')[1])
  })
  return { answers, lag, longestTask: await page.evaluate(() => globalThis.longestTask), ...(await memory(page)) }
}

/** Questions, each with the time at which it was asked: how long after that it is in view. */
async function prompts(url) {
  const page = await newPage()
  await page.goto(url)
  const delays = []
  for (let question = 1; question <= 20; question += 1) {
    const answer = page.getByRole('button', { name: new RegExp(`^Go ${question}\\b`) })
    await page.evaluate(watchFor, { selector: 'main', pattern: `question ${question} asked at (\\d+)` })
    const [seen, asked] = await told(page, true)
    // The first one was asked before there was a page.
    if (question > 1) {
      delays.push(seen - asked)
    }
    await answer.click()
  }
  return { delays }
}

async function newPage() {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } })
  page.setDefaultTimeout(DEADLINE)
  return page
}

/** In the page: notes when a text is there and painted, as time since the navigation, as wall clock, and what it says. */
function watchFor({ selector, pattern }) {
  const expression = new RegExp(pattern)
  globalThis.seen = new Promise((resolve) => {
    const look = () => {
      const found = expression.exec(document.querySelector(selector)?.textContent ?? '')
      if (found === null) {
        requestAnimationFrame(look)
      } else {
        // The frame with it has been painted when the next one begins.
        requestAnimationFrame(() => resolve([performance.now(), Date.now(), Number(found[1])]))
      }
    }
    look()
  })
}

async function told(page, isWallClock = false) {
  const [sinceNavigation, now, asked] = await page.evaluate(() => globalThis.seen)
  return isWallClock ? [now, asked] : sinceNavigation
}

/** In the page: from now on. */
function countLongTasks() {
  globalThis.longestTask = 0
  new PerformanceObserver((list) => {
    globalThis.longestTask = Math.max(globalThis.longestTask, ...list.getEntries().map((entry) => entry.duration))
  }).observe({ type: 'longtask' })
}

/** What the page needs, in MB: its JavaScript, and what its process has for itself. */
async function memory(page) {
  const session = await page.context().newCDPSession(page)
  await session.send('HeapProfiler.collectGarbage')
  const { usedSize } = await session.send('Runtime.getHeapUsage')
  const root = await browser.newBrowserCDPSession()
  const { processInfo } = await root.send('SystemInfo.getProcessInfo')
  const sizes = await Promise.all(
    processInfo.filter(({ type }) => type === 'renderer').map(({ id }) => privateMegabytes(id)),
  )
  return { heap: usedSize / 1e6, process: Math.max(...sizes) }
}

async function privateMegabytes(pid) {
  const text = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8')
  const kilobytes = [...text.matchAll(/^Private_(?:Clean|Dirty): +(\d+) kB$/gm)].map(([, size]) => Number(size))
  return kilobytes.reduce((sum, size) => sum + size, 0) / 1024
}
