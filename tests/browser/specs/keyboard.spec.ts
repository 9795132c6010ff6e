import { tabTo } from '../fixtures/keyboard.ts'
import { choice, field, log, prompt } from '../fixtures/parts.ts'
import { expect, test } from '../fixtures/test.ts'

test('a deployment from start to end without a mouse', async ({ page }) => {
  await page.goto('/')
  await expect(field(page, 'Changes')).toBeVisible()
  await page.keyboard.press('Tab')
  await expect(page.getByRole('link', { name: 'Skip to the content' })).toBeFocused()
  await page.keyboard.press('Enter')
  await tabTo(page, field(page, 'Changes'))
  await page.keyboard.type('42')
  await page.keyboard.press('Enter')
  // The field is empty now, so this is for the form.
  await page.keyboard.press('Enter')
  await expect(page).toHaveURL('/jobs/1')

  await expect(choice(page, 1, 'Yes')).toBeEnabled()
  await tabTo(page, choice(page, 1, 'Yes'))
  await page.keyboard.press('Enter')
  await expect(prompt(page, 1)).toContainText('Do you want to continue?')
  // The focus has not got lost with the button.
  await expect(prompt(page, 1)).toBeFocused()
  await expect(choice(page, 1, 'Continue')).toBeEnabled()
  await tabTo(page, choice(page, 1, 'Continue'))
  await page.keyboard.press('Space')
  await expect(page.getByRole('main')).toContainText('Succeeded')

  await tabTo(page, log(page, 1))
  await page.keyboard.press('Home')
  await expect(log(page, 1)).toContainText('The following changes are scheduled for backport:')
})

test('a dialog keeps the focus, and gives it back', async ({ page, spiderpig }) => {
  const id = await spiderpig.api.submit('long')
  await page.goto(`/jobs/${id}`)
  const kill = page.getByRole('button', { name: `Kill job ${id}, A long job` })
  await kill.focus()
  await page.keyboard.press('Enter')
  const dialog = page.getByRole('dialog')
  await expect(dialog).toBeVisible()
  for (let presses = 0; presses < 6; presses += 1) {
    await page.keyboard.press('Tab')
    await expect(dialog.locator(':focus')).toHaveCount(1)
  }
  await page.keyboard.press('Escape')
  await expect(dialog).toBeHidden()
  await expect(kill).toBeFocused()
})
