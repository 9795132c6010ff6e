import { finishedJob } from '../fixtures/log.ts'
import { line, lineNumber, log, logTools } from '../fixtures/parts.ts'
import { restingRow, rowsShown } from '../fixtures/rows.ts'
import { expect, test } from '../fixtures/test.ts'

const LENGTH = 50_000

/** `line 1`… with a needle in some, an error in one, colours in one, and a long one. */
function bigLog(): string[] {
  const lines = Array.from({ length: LENGTH }, (_, at) => `line ${at + 1}`)
  for (const recno of [1000, 25_000, 49_000]) {
    lines[recno - 1] = `line ${recno} has a needle`
  }
  lines[39_999] = 'ERROR: something went wrong'
  lines[LENGTH - 3] = '\u001b[32mgreen\u001b[0m and \u001b[1mbold\u001b[0m and <b>no tag</b>'
  lines[LENGTH - 2] = `long ${'and longer '.repeat(100)}`
  return lines
}

test('a log of 50,000 lines', async ({ page, spiderpig, context }) => {
  test.slow()
  const id = await finishedJob(spiderpig, bigLog())
  await page.goto(`/jobs/${id}`)
  const tools = logTools(page, id)
  const last = line(page, id, `line ${LENGTH}`)

  await test.step('opens at its end, and holds only what is looked at', async () => {
    await expect(last).toBeInViewport()
    expect((await rowsShown(page, id)).length).toBeLessThan(200)
  })

  await test.step('stays at its end when the view is higher for less than a frame', async () => {
    const [before, moved, after] = await log(page, id).evaluate(async (pane) => {
      const nextFrame = () => new Promise(requestAnimationFrame)
      const before = pane.scrollTop
      pane.style.minBlockSize = `${pane.clientHeight + 30}px`
      const moved = pane.scrollTop
      pane.style.minBlockSize = ''
      await nextFrame()
      await nextFrame()
      await nextFrame()
      return [before, moved, pane.scrollTop] as const
    })
    expect(moved, 'the browser moves what it shows').toBe(before - 30)
    expect(after).toBe(before)
  })

  await test.step('shows colours, and markup as text', async () => {
    await expect(line(page, id, 'green')).toHaveCSS('color', /rgb/)
    await expect(log(page, id)).toContainText('green and bold and <b>no tag</b>')
    await expect(line(page, id, 'bold')).toHaveCSS('font-weight', '700')
  })

  await test.step('goes to its start, and back to its end', async () => {
    await tools.getByRole('button', { name: 'Go to the start' }).click()
    await expect(line(page, id, 'line 1')).toBeInViewport()
    await log(page, id).press('End')
    await expect(last).toBeInViewport()
  })

  await test.step('scrolls with the wheel', async () => {
    await log(page, id).hover()
    await page.mouse.wheel(0, -5000)
    await expect(last).toBeHidden()
    await page.mouse.wheel(0, 10_000)
    await expect(last).toBeInViewport()
  })

  await test.step('is searched as a whole', async () => {
    const search = tools.getByRole('searchbox', { name: 'Search the whole log' })
    await search.fill('needle')
    await expect(tools).toContainText('3 matches')
    await search.press('Enter')
    await expect(lineNumber(page, id, 1000)).toBeInViewport()
    await expect(tools).toContainText('1 of 3')
    await expect(log(page, id).locator('mark')).toHaveText(['needle'])
    await tools.getByRole('button', { name: 'Next match' }).click()
    await expect(lineNumber(page, id, 25_000)).toBeInViewport()
    await search.press('Shift+Enter')
    await expect(lineNumber(page, id, 1000)).toBeInViewport()
    await search.fill('nothing has this')
    await expect(tools).toContainText('no match')
    await search.fill('')
  })

  await test.step('goes to lines that look like errors', async () => {
    await expect(tools.getByRole('group', { name: '1 error' })).toBeVisible()
    await tools.getByRole('button', { name: 'Next error' }).click()
    await expect(line(page, id, 'ERROR: something went wrong')).toBeInViewport()
  })

  await test.step('has an address for each line and range, whose text can be copied', async () => {
    await context.grantPermissions(['clipboard-read', 'clipboard-write'])
    await page.goto(`/jobs/${id}#L120`)
    await page.reload()
    await expect(lineNumber(page, id, 120)).toBeInViewport()
    await expect(tools).toContainText('Line 120')
    await lineNumber(page, id, 121).click()
    await expect(page).toHaveURL(`/jobs/${id}#L121`)
    await lineNumber(page, id, 123).click({ modifiers: ['Shift'] })
    await expect(page).toHaveURL(`/jobs/${id}#L121-L123`)
    await expect(tools).toContainText('Lines 121 to 123')
    await tools.getByRole('button', { name: 'Copy text' }).click()
    await expect(tools).toContainText('Copied.')
    expect(await page.evaluate(() => navigator.clipboard.readText())).toBe('line 121\nline 122\nline 123')
    await tools.getByRole('button', { name: 'Clear selection' }).click()
    await expect(page).toHaveURL(`/jobs/${id}`)
  })

  await test.step('shows times, if they are wanted', async () => {
    await tools.getByRole('button', { name: 'Log display options' }).click()
    const times = tools.getByRole('combobox', { name: 'Timestamps' })
    const time = log(page, id).getByRole('time').first()
    await expect(time).toBeHidden()
    await times.click()
    await page.getByRole('option', { name: 'Time in UTC' }).click()
    await expect(time).toHaveText(/^\d\d:\d\d:\d\d\.\d{3}$/)
    await times.click()
    await page.getByRole('option', { name: 'Time since start' }).click()
    await expect(time).toHaveText(/^\+0\.\d{3}$/)
    await times.click()
    await page.getByRole('option', { name: 'Time since previous line' }).click()
    await expect(time).toHaveText('+0.001')
  })

  await test.step('goes to a line by its number', async () => {
    const lines = tools.getByRole('textbox', { name: 'Lines' })
    await lines.fill('many')
    await lines.press('Enter')
    await expect(tools).toContainText('Enter a line number, or a range')
    await lines.fill('15000-15002')
    await lines.press('Enter')
    await expect(lineNumber(page, id, 15_000)).toBeInViewport()
    await expect(page).toHaveURL(`/jobs/${id}#L15000-L15002`)
  })

  await test.step('wraps long lines, or does not', async () => {
    await tools.getByRole('button', { name: 'Clear selection' }).click()
    await log(page, id).press('End')
    const long = line(page, id, bigLog()[LENGTH - 2]!.trim())
    const height = async () => (await long.boundingBox())!.height
    await expect(last).toBeInViewport()
    const wrapped = await height()
    await tools.getByRole('switch', { name: 'Wrap long lines' }).uncheck({ force: true })
    await expect.poll(height).toBeLessThan(wrapped / 3)
    await page.reload()
    await expect.poll(height).toBeLessThan(wrapped / 3)
  })
})

test('a log is downloaded as text', async ({ page, spiderpig }) => {
  const id = await spiderpig.api.submit('secret')
  await spiderpig.api.reaches(id, 'succeeded')
  await page.goto(`/jobs/${id}`)
  const downloading = page.waitForEvent('download')
  await logTools(page, id).getByRole('link', { name: 'Download as text' }).click()
  const download = await downloading
  expect(download.suggestedFilename()).toBe(`job-${id}.log`)
  const chunks = await (await download.createReadStream()).toArray()
  expect(Buffer.concat(chunks as Buffer[]).toString()).toMatch(/before the secret\nafter the secret\n/)
})

test('sensitive lines are shown only to who asks for them, and that is recorded', async ({ page, spiderpig }) => {
  const { api } = spiderpig
  const id = await api.submit('secret')
  await api.reaches(id, 'succeeded')
  const reveals = () => spiderpig.audit().filter(({ event }) => event === 'reveal')
  await page.goto(`/jobs/${id}`)
  await expect(log(page, id)).toContainText('1 sensitive line is hidden')
  await expect(line(page, id, 'the password is swordfish')).toBeHidden()
  expect(reveals()).toEqual([])

  await log(page, id).getByRole('button', { name: 'Show' }).click()
  await expect(log(page, id)).toContainText('the password is swordfish')
  expect(reveals()).toEqual([expect.objectContaining({ user: 'alice', details: { job: id } })])

  await logTools(page, id).getByRole('button', { name: 'Log display options' }).click()
  await logTools(page, id).getByRole('switch', { name: 'Show sensitive lines' }).uncheck({ force: true })
  await expect(line(page, id, 'the password is swordfish')).toBeHidden()
  await expect(log(page, id)).toContainText('1 sensitive line is hidden')
})

test('a log that grows fast is followed, and stays put for who reads', async ({ page, spiderpig }) => {
  const { api } = spiderpig
  const id = await api.submit('lines', { count: 5_000_000, rate: 20_000 })
  await page.goto(`/jobs/${id}`)
  const lastRecno = async () => (await rowsShown(page, id)).at(-1)?.recno ?? 0

  await test.step('it is followed', async () => {
    await expect.poll(lastRecno).toBeGreaterThan(8_000)
    const seen = await lastRecno()
    await expect.poll(lastRecno).toBeGreaterThan(seen + 8_000)
  })

  await test.step('who scrolls up stays there, and is told what is new', async () => {
    await log(page, id).hover()
    await page.mouse.wheel(0, -1500)
    const fresh = page.getByRole('button', { name: /[\d,]+ new records/ })
    await expect(fresh).toBeVisible()
    const { recno, y } = await restingRow(page, id)
    const count = async () => Number((await fresh.innerText()).replace(/\D/g, ''))
    const told = await count()
    await expect.poll(count).toBeGreaterThan(told + 8_000)
    expect((await lineNumber(page, id, recno).boundingBox())?.y).toBe(y)
    await fresh.click()
    await expect(fresh).toBeHidden()
    await expect.poll(lastRecno).toBeGreaterThan(recno + 8_000)
  })

  await test.step('and the page is usable meanwhile', async () => {
    await page.getByRole('heading', { name: 'Parameters and command' }).click()
    await expect(page.getByRole('main')).toContainText('lines.py 5000000 20000')
    await page.getByRole('button', { name: `Stop job ${id}` }).click()
    // What was still on its way when the job was stopped is behind the word of who did it.
    await expect(log(page, id)).toContainText('ended by signal 2')
    await expect(page.getByRole('main')).toContainText('interrupted by alice')
  })
})

test('nothing of a line is hidden that was decoded wrongly', async ({ page, spiderpig }) => {
  const id = await spiderpig.api.submit('mojibake')
  await page.goto(`/jobs/${id}`)
  await expect(line(page, id, 'Deploying â<80><9c>coreâ<80><9d> failed: host mw1 is down')).toBeVisible()
})
