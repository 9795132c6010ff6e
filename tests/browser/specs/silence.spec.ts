import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { choice, log, runningJob } from '../fixtures/parts.ts'
import { expect, test } from '../fixtures/test.ts'

test('a job that prints nothing for long is warned of, and is left alone', async ({ page, spiderpig }) => {
  const id = await spiderpig.api.submit('quiet')
  const words = /No output for \d+ s\. It may be stuck\./
  await page.goto('/')
  await expect(runningJob(page, id)).toContainText(words)
  await page.goto(`/jobs/${id}`)
  await expect(page.getByRole('main')).toContainText(words)
  expect((await spiderpig.api.job(id)).state).toBe('running')

  writeFileSync(join(spiderpig.directory, 'wake'), '')
  await expect(log(page, id)).toContainText('I am awake')
  await expect(page.getByRole('main')).not.toContainText('It may be stuck')
  // Whoever is waited for knows that it is quiet.
  await choice(page, id, 'Yes').click()
  await expect(page).toHaveTitle(/Succeeded/)
})
