import { expectGoodLooks } from '../fixtures/accessible.ts'
import { expect, test } from '../fixtures/test.ts'

test('the job runner: at work, paused, and gone', async ({ page, spiderpig }) => {
  const { api } = spiderpig
  await api.submit('long')
  await api.submit('long')
  await page.goto('/runner')
  await expect(page.getByRole('region', { name: 'Lane narrow' })).toContainText('is busy with job')
  await expectGoodLooks(page, 'the job runner')
  await api.post('/api/runner/pause', { reason: 'database switchover, see https://phabricator.wikimedia.org/T123' })
  await expect(page.getByRole('button', { name: 'Resume' })).toBeVisible()
  await expectGoodLooks(page, 'the paused job runner')
  await spiderpig.killRunner()
  await expect(page.getByRole('alert')).toContainText('The job runner is not running')
  await expectGoodLooks(page, 'the job runner that is gone')
})

test('pages that are not there', async ({ page, complaints }) => {
  complaints.expectRefusal(404)
  await page.goto('/no/such/page')
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Not found')
  await expectGoodLooks(page, 'an unknown page')
  await page.goto('/jobs/77')
  await expect(page.getByRole('main')).toContainText('Job 77 does not exist.')
  await expectGoodLooks(page, 'an unknown job')
})

test('the page without its API', async ({ page, spiderpig, complaints }) => {
  complaints.expectLostConnections()
  await page.goto('/')
  await expect(page.getByRole('link', { name: 'Job runner: Idle' })).toBeVisible()
  await spiderpig.api.kill()
  await expect(page.getByText('the data is')).toBeVisible()
  await expectGoodLooks(page, 'the page without its API')
})
