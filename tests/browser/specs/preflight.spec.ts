import type { Locator, Page } from '@playwright/test'

import { changesOfJob, chips, field, preflight, prompt, startPanel } from '../fixtures/parts.ts'
import { expect, test } from '../fixtures/withGerrit.ts'

/** What is chosen, and what speaks against it. The first change is in a job. */
const BLOCKED = [
  { chosen: ['42'], told: ['Change 42 is in job 1 of alice already, which runs'] },
  { chosen: ['elsewhere'], told: ['This must be the number of a Gerrit change or its address at http://127.0.0.1:'] },
  { chosen: ['999'], told: ['Gerrit does not know a change 999, or does not show it to everybody'] },
  { chosen: ['101'], told: ['Change 101 is abandoned'] },
  { chosen: ['102'], told: ['Change 102 is marked as work in progress'] },
  { chosen: ['103'], told: ['Change 103 is in conflict with wmf/1.46.0-wmf.3: it must be rebased'] },
  { chosen: ['104'], told: ['The tests of change 104 failed (Verified-1)'] },
  { chosen: ['105'], told: ['A reviewer objects to change 105 (Code-Review-2)'] },
  { chosen: ['106'], told: ['Change 106 depends on 107, which is not merged and not chosen: Is needed by others'] },
  { chosen: ['108'], told: ['Change 108 depends on 101, which is abandoned: An idea that was given up'] },
  {
    chosen: ['109', '110'],
    told: [
      'Change 109 leads into a circle of dependencies: 109 → 110 → 109',
      'Change 110 leads into a circle of dependencies: 110 → 109 → 110',
    ],
  },
  { chosen: ['111'], told: ['Change 111 depends on 107, which is not merged and not chosen'] },
  {
    chosen: ['112'],
    told: [
      'Change 112 depends on 113, which is not merged and not chosen',
      'Change 112 depends on 107 by way of 113, which is not merged and not chosen',
    ],
  },
  { chosen: ['107', 'c/107'], told: ['Change 107 is chosen more than once'] },
]

test('each thing that speaks against a change is told, and who starts it all the same is on record', async ({
  page,
  spiderpig,
  gerrit,
}) => {
  await spiderpig.api.prompt(await spiderpig.api.submit('backport', { change_url: ['42'] }))
  for (const { chosen, told } of BLOCKED) {
    await test.step(chosen.join(' and '), async () => {
      // As addresses have it: what is chosen twice is told by number and by address.
      const changes = chosen.map((change) => (change === 'elsewhere' ? 'https://example.org/7' : change))
      await page.goto(filledIn(changes.map((change) => change.replace('c/', `${gerrit.url}c/`))))
      const blockers = preflight(page).getByRole('list', { name: 'Blockers' }).getByRole('listitem')
      await expect(blockers).toContainText(told.map((words) => `Blocker: ${words}`))
      await expect(startButton(page)).toBeDisabled()
      const count = told.length === 1 ? 'a blocker' : `${told.length} blockers`
      await expect(startButton(page)).toHaveAccessibleDescription(
        `The check found ${count}. Fix this and check again, or start anyway.`,
      )
    })
  }

  await test.step('what only deserves a look is told, and does not hinder', async () => {
    await page.goto(filledIn(['202', '205']))
    const warnings = preflight(page).getByRole('list', { name: 'Warnings' })
    await expect(warnings).toContainText(['Change 202 was not verified', 'is for the branch sandbox/experiment'])
    await expect(startButton(page)).toBeEnabled()
  })

  await test.step('it is started all the same', async () => {
    await page.goto(filledIn(['104', '105']))
    await expect(startButton(page)).toBeDisabled()
    await startAnyway(page)
    await expect(page).toHaveURL('/jobs/2')
    await expect(changesOfJob(page)).toContainText('Started anyway by alice.')
    await expect(changesOfJob(page)).toContainText('The tests of change 104 failed (Verified-1)')
    await expect(changesOfJob(page)).toContainText('A reviewer objects to change 105 (Code-Review-2)')
  })
})

test('a Gerrit that is slow, and then gone, is told, and holds up nobody', async ({ page, gerrit }) => {
  await page.goto('/start/backport')
  await field(page, 'Changes').fill('901 ')
  await field(page, 'Changes').fill('42')
  await expect(startPanel(page).getByRole('option')).toContainText('42 Enable the new skin on group 0')
  await field(page, 'Changes').press('Enter')
  await expect(chips(page, 'Changes')).toContainText(['901', '42 Enable the new skin on group 0'])
  await expect(preflight(page)).toContainText('Checking…')
  await expect(preflight(page)).toContainText(`Gerrit at ${gerrit.url} did not answer within 5 s`)
  await expect(startButton(page)).toHaveAccessibleDescription(/^The changes could not be checked\./)

  await gerrit.kill()
  await chips(page, 'Changes').getByRole('button', { name: 'Remove 901' }).click()
  await expect(preflight(page)).toContainText(`Gerrit at ${gerrit.url} cannot be asked`)
  await field(page, 'Changes').fill('43')
  await expect(startPanel(page).getByRole('option')).toContainText('Use 43 without looking it up')
  await field(page, 'Changes').press('Enter')
  await expect(chips(page, 'Changes')).toContainText(['42', '43'])
  await expect(startButton(page)).toBeDisabled()
  await startAnyway(page)
  await expect(prompt(page, 1)).toContainText('│ 43 │')
  await expect(changesOfJob(page)).toContainText('Started anyway by alice.')
  await expect(changesOfJob(page)).toContainText(`Gerrit at ${gerrit.url} cannot be asked`)
})

/** The address of a form with these changes in it. */
function filledIn(changes: readonly string[]): string {
  return `/start/backport?${changes.map((change) => `change_url=${encodeURIComponent(change)}`).join('&')}`
}

function startButton(page: Page): Locator {
  return page.getByRole('button', { name: 'Start MediaWiki backport' })
}

async function startAnyway(page: Page): Promise<void> {
  await startPanel(page).getByRole('checkbox', { name: 'Start anyway' }).check({ force: true })
  await startButton(page).click()
}
