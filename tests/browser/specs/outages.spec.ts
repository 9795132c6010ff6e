import { choice, line, log, prompt } from '../fixtures/parts.ts'
import { readTo, rowsShown } from '../fixtures/rows.ts'
import { expect, test } from '../fixtures/test.ts'

test('the API is killed and restarted while a log is followed: no line is lost or doubled', async ({
  page,
  spiderpig,
  complaints,
}) => {
  complaints.expectLostConnections()
  const { api } = spiderpig
  const id = await api.submit('lines', { count: 600, rate: 200 })
  await page.goto(`/jobs/${id}`)
  await expect.poll(async () => (await rowsShown(page, id)).at(-1)?.recno).toBeGreaterThan(100)

  await api.kill()
  const banner = page.getByRole('region', { name: 'Connection' })
  await expect(banner).toContainText(/the data is \d+ s old \(as of \d\d:\d\d:\d\d UTC\)/)
  await expect(banner).toContainText('SpiderPig cannot be reached')
  await expect(page.getByRole('link', { name: 'Job runner: Not connected' })).toBeVisible()
  // The job goes on, and its supervisor writes the log.
  await expect.poll(() => spiderpig.read(`jobs/${id}/output.log`)).toContain('line 400\n')

  await api.start()
  await expect(banner).toBeHidden()
  await expect(page.getByText('Reconnected.').filter({ visible: true }).first()).toBeVisible()
  await expect(line(page, id, 'line 600')).toBeVisible()
  await expect(log(page, id)).toContainText('exit status 0')
  const lines = (await readTo(page, id, 601)).filter(({ text }) => text.startsWith('line '))
  expect(lines).toEqual(Array.from({ length: 600 }, (_, at) => ({ recno: at + 1, text: `line ${at + 1}` })))
})

test('what happened while the API was away is there when it is back', async ({ page, spiderpig, complaints }) => {
  complaints.expectLostConnections()
  const { api } = spiderpig
  const asking = await api.submit('question')
  await api.prompt(asking)
  await page.goto('/')
  await expect(prompt(page, asking)).toBeVisible()
  const bob = await spiderpig.apiOf('bob')
  await api.kill()
  await expect(page.getByText('Not connected').filter({ visible: true }).first()).toBeVisible()
  await expect(page.getByRole('button', { name: 'Start MediaWiki backport' })).toBeDisabled()

  await bob.answer(asking, 'd')
  await bob.reaches(asking, 'succeeded')
  const another = await bob.submit('hello')
  await bob.prompt(another)
  await api.start()
  await expect(prompt(page, another)).toBeVisible()
  await expect(prompt(page, asking)).toBeHidden()
  await expect(page.getByRole('region', { name: 'Job history' })).toContainText(`${asking}: A question`)
})

test('an answer that could not be sent is told, and can be sent again', async ({ page, spiderpig, complaints }) => {
  complaints.expectLostConnections()
  const { api } = spiderpig
  const id = await api.submit('question')
  await page.goto(`/jobs/${id}`)
  await expect(choice(page, id, 'Deploy')).toBeEnabled()
  await api.kill()
  await choice(page, id, 'Deploy').click()
  await expect(prompt(page, id)).toContainText('You can safely send it again: only the first answer counts.')
  await api.start()
  await choice(page, id, 'Deploy').click()
  await expect(line(page, id, 'The answer was d')).toBeVisible()
})

test('the runner is killed: everybody is told, and jobs go on', async ({ page, spiderpig }) => {
  const { api } = spiderpig
  const id = await api.submit('hello')
  await api.prompt(id)
  await page.goto(`/jobs/${id}`)
  await expect(page.getByRole('link', { name: /^Job runner: Running 1/ })).toBeVisible()

  await spiderpig.killRunner()
  const banner = page.getByRole('alert').getByText('The job runner is not running')
  await expect(banner).toBeVisible()
  await expect(page.getByRole('link', { name: /^Job runner: Not running/ })).toBeVisible()
  await prompt(page, id).getByRole('textbox', { name: 'Your answer' }).fill('Ada')
  await prompt(page, id).getByRole('button', { name: 'Send' }).click()
  await choice(page, id, 'Politely').click()
  await expect(line(page, id, 'Good day, Ada.').last()).toBeVisible()
  await expect(page.getByRole('main')).toContainText('Succeeded')
  // Jobs can be started, and wait.
  await page.goto('/start/noop')
  await expect(page.getByText('A new job waits until it is started.')).toBeVisible()
  await page.getByRole('button', { name: 'Start Nothing' }).click()
  await expect(page.getByRole('main')).toContainText('Queued')

  await spiderpig.startRunner()
  await expect(banner).toBeHidden()
  await expect(page.getByRole('main')).toContainText('Succeeded')
})

test('a job whose supervisor is killed is lost, and says so', async ({ page, spiderpig }) => {
  const id = await spiderpig.api.submit('long')
  await page.goto(`/jobs/${id}`)
  await expect(line(page, id, 'I run until I am stopped')).toBeVisible()
  await spiderpig.killSupervisor(id)
  await expect(page.getByRole('main')).toContainText('Lost: outcome unknown')
  await expect(page.getByRole('main')).toContainText('It is unknown whether this job succeeded.')
})
