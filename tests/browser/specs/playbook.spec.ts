import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

import { choice, field, log, prompt, startPanel } from '../fixtures/parts.ts'
import { expect, test } from '../fixtures/test.ts'

test('a playbook shows what it would change, asks, acts, and asks in its middle', async ({ page, spiderpig }) => {
  // It runs twice, and Ansible takes its time.
  test.slow()
  const settings = (host: string) => join(spiderpig.directory, 'web', host, 'current/settings')
  await page.goto('/start/ansible?limit=web1&limit=web2')
  await field(page, 'Release').fill('1.2')
  await startPanel(page).getByRole('button', { name: 'Start Run a playbook' }).click()
  await expect(page).toHaveURL('/jobs/1')
  await expect(prompt(page, 1)).toContainText('This is what 1.2 would change. Deploy it?', { timeout: 30_000 })
  await expect(log(page, 1)).toContainText('PLAY RECAP')
  expect(existsSync(settings('web1'))).toBe(false)

  await choice(page, 1, 'Yes').click()
  await expect(prompt(page, 1)).toContainText('1.2 runs on web1. Go on with the others?', { timeout: 30_000 })
  expect(readFileSync(settings('web1'), 'utf8')).toContain('1.2')
  expect(existsSync(settings('web2'))).toBe(false)

  await choice(page, 1, 'Continue').click()
  await expect(page).toHaveTitle('Job 1: Run a playbook – Succeeded · SpiderPig', { timeout: 30_000 })
  expect(readFileSync(settings('web2'), 'utf8')).toContain('1.2')
  await page.getByRole('heading', { name: /^Phases \(\d+\)/ }).click()
  await expect(page.getByRole('button', { name: 'Deploy to the other hosts' }).first()).toBeVisible()
})
