import { expect, test } from '../fixtures/test.ts'

test('an address that is no page says so', async ({ page, complaints }) => {
  complaints.expectRefusal(404)
  await page.goto('/no/such/page')
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Not found')
  await expect(page.getByRole('main')).toContainText('/no/such/page')
  await page.getByRole('main').getByRole('link', { name: 'overview' }).click()
  await expect(page).toHaveURL('/')
})
