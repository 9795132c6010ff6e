import { runningJob } from '../fixtures/parts.ts'
import { expect, test } from '../fixtures/test.ts'

const THREE_HOURS = 3 * 3_600_000

for (const ahead of [THREE_HOURS, -THREE_HOURS]) {
  test(`the clock of a laptop that is ${ahead} ms ahead does not age a job`, async ({ page, spiderpig }) => {
    await page.addInitScript((ahead) => {
      const now = Date.now.bind(Date)
      Date.now = () => now() + ahead
    }, ahead)
    const id = await spiderpig.api.submit('quiet')
    const seconds = /(^|\D)[1-9]\d* s(?!\w)/
    await page.goto(`/jobs/${id}`)
    await expect(page.locator('.job-facts > div', { hasText: 'Running for' })).toContainText(seconds)
    await expect(page.locator('.job-facts > div', { hasText: 'Running for' })).not.toContainText(/ h|\d min/)
    await page.goto('/')
    await expect(runningJob(page, id)).toContainText(seconds)
    await expect(runningJob(page, id)).not.toContainText(/ h |\d min/)
    // A time of today is shown without its date, whatever day it is on the laptop.
    await expect(runningJob(page, id)).not.toContainText(/\d{4}-\d\d-\d\d/)
  })
}
