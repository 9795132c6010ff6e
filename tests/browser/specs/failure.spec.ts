import { historyRow, line, lineNumber, logTools } from '../fixtures/parts.ts'
import { expect, test } from '../fixtures/test.ts'

test('a job that failed says in which phase, and leads to its last error', async ({ page, spiderpig }) => {
  const id = await spiderpig.api.submit('fail')
  await spiderpig.api.reaches(id, 'failed')
  const words = 'failed in the phase “Checking the canaries”: exited with status 3'
  const error = 'ERROR: 3 of 11 canaries do not answer'
  await page.goto('/')
  await expect(historyRow(page, id)).toContainText(words)
  await historyRow(page, id).getByRole('link', { name: error }).click()

  await expect(page).toHaveURL(`/jobs/${id}#L3`)
  await expect(page.getByRole('main')).toContainText(words)
  await expect(lineNumber(page, id, 3)).toBeInViewport()
  await expect(line(page, id, error)).toBeInViewport()
  await page.goto(`/jobs/${id}`)
  await page.getByRole('link', { name: error }).click()
  await expect(page).toHaveURL(`/jobs/${id}#L3`)
  await expect(logTools(page, id)).toContainText('Line 3')
})
