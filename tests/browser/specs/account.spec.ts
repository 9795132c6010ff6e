import { expectGoodLooks } from '../fixtures/accessible.ts'
import { enrol, giveSession, signIn } from '../fixtures/people.ts'
import { expect, test } from '../fixtures/withPeople.ts'

/** What a browser may say of itself. */
const HOSTILE =
  'Mozilla/5.0 (X11; Linux x86_64) </code><img src=x onerror=alert(1)><script>alert(2)</script> Firefox/145.0'

test('people see where they are signed in, and sign out elsewhere', async ({
  page,
  context,
  spiderpig,
  pageOf,
  complaints,
}) => {
  complaints.expectRefusal(401)
  await giveSession(context, await signIn(spiderpig, 'alice', await page.evaluate(() => navigator.userAgent)))
  const firefox = await pageOf('alice', { userAgent: HOSTILE })
  await Promise.all([page.goto('/account'), firefox.goto('/account')])
  const panel = page.getByRole('region', { name: 'Sessions' })
  const sessions = panel.getByRole('listitem')
  const dialog = page.getByRole('dialog')
  const isOut = firefox.getByText('You are signed out: Your session has ended.').first()

  await test.step('who they are, and where', async () => {
    const identity = page.getByRole('region', { name: 'alice' })
    await expect(identity).toContainText('You can start, answer and stop jobs.')
    await expect(identity).toContainText('deployers')
    await expect(sessions).toHaveCount(2)
    await expect(sessions.first()).toContainText(/Chrome \d+ on Linux\s*This session/)
    await expect(sessions.first()).toContainText('127.0.0.1')
  })

  await test.step('what a browser says of itself is text', async () => {
    const foreign = sessions.filter({ hasText: 'Firefox 145 on Linux' })
    await foreign.getByText('User agent').click()
    await expect(foreign.locator('details code')).toHaveText(HOSTILE)
    await expectGoodLooks(page, 'my account')
  })

  await test.step('one of them is ended, after a question', async () => {
    const end = panel.getByRole('button', { name: 'End the session of Firefox 145 on Linux from 127.0.0.1' })
    await end.click()
    await expect(dialog).toContainText('That browser is signed out immediately.')
    await expectGoodLooks(page, 'the question whether to end a session')
    await dialog.getByRole('button', { name: 'Cancel' }).click()
    await expect(end).toBeFocused()
    await end.click()
    await dialog.getByRole('button', { name: 'End the session', exact: true }).click()
    await expect(panel.getByRole('status')).toHaveText('Session ended.')
    await expect(sessions).toHaveCount(1)
    await expect(isOut).toBeVisible()
  })

  await test.step('all others are', async () => {
    const others = [await signIn(spiderpig, 'alice'), await signIn(spiderpig, 'alice')]
    await page.reload()
    await panel.getByRole('button', { name: 'End all other sessions…' }).click()
    await dialog.getByRole('button', { name: 'End the 2 other sessions' }).click()
    await expect(panel).toContainText('You have no other sessions.')
    for (const other of others) {
      await expect(other.get('/api/jobs')).rejects.toThrow('401')
    }
  })

  await test.step('and the last', async () => {
    const other = await signIn(spiderpig, 'alice')
    await panel.getByRole('button', { name: 'Sign out everywhere…' }).click()
    await dialog.getByRole('button', { name: 'Sign out everywhere' }).click()
    await expect(page.getByRole('main')).toContainText('You are signed out of SpiderPig in this browser.')
    await expect(other.get('/api/jobs')).rejects.toThrow('401')
    await page.goto('/account')
    await expect(page).toHaveURL('/login?next=/account')
  })
})

test('people renew their recovery codes, and replace and remove their second factor', async ({
  page,
  context,
  spiderpig,
  complaints,
}) => {
  complaints.expectRefusal(400)
  const { client, app, recoveryCodes } = await enrol(spiderpig, 'alice')
  await giveSession(context, client)
  await page.goto('/account')
  const panel = page.getByRole('region', { name: 'Second factor' })
  const dialog = page.getByRole('dialog')
  const code = dialog.getByRole('textbox', { name: 'Code' })
  const fresh = panel.getByRole('region', { name: 'Your new recovery codes' })

  await test.step('new recovery codes, for a code', async () => {
    await expect(panel).toContainText('10 recovery codes are left')
    await panel.getByRole('button', { name: 'New recovery codes…' }).click()
    await code.fill('000000')
    await dialog.getByRole('button', { name: 'Get new codes' }).click()
    await expect(dialog.getByRole('alert')).toContainText('Wrong code')
    await expectGoodLooks(page, 'a code in a dialog that was refused')
    await code.fill(await app.code())
    await code.press('Enter')
    await expect(fresh).toBeFocused()
    await expect(fresh.getByRole('listitem')).toHaveCount(10)
    await expect(fresh).not.toContainText(recoveryCodes[0]!)
  })

  await test.step('they are not shown again, and they count', async () => {
    const [one = ''] = await fresh.getByRole('listitem').allInnerTexts()
    await page.reload()
    await expect(panel).toContainText('10 recovery codes are left')
    await expect(fresh).toHaveCount(0)
    await panel.getByRole('button', { name: 'Remove…' }).click()
    await code.fill(recoveryCodes[1]!)
    await code.press('Enter')
    await expect(dialog.getByRole('alert')).toContainText('Wrong code')
    await code.fill(one.trim())
    await code.press('Enter')
    await expect(panel.getByRole('status')).toHaveText('Second factor removed.')
    await expect(panel).toContainText('Your password alone is enough to sign in as you.')
    await expect(panel.getByRole('link', { name: 'Set up a second factor' })).toBeVisible()
  })
})

test('people see their tokens, and revoke them', async ({ page, context, spiderpig }) => {
  await giveSession(context, await signIn(spiderpig, 'alice'))
  const [scopes, name] = [['--scope', 'read', '--scope', 'start:noop'], 'nightly <b>build</b>']
  const create = ['token', 'create', '--user', 'alice', '--name', name, '--expires', '3d', ...scopes]
  const token = spiderpig.command(create).split('\n')[0]!
  const use = async () => {
    const response = await fetch(`${spiderpig.api.url}/api/jobs`, { headers: { Authorization: `Bearer ${token}` } })
    return response.status
  }
  await expect.poll(use).toBe(200)

  await page.goto('/account')
  const panel = page.getByRole('region', { name: 'API tokens' })
  const listed = panel.getByRole('listitem').filter({ has: page.getByRole('heading', { name }) })
  await expect(listed).toContainText('Expires in 2 d')
  await expect(listed).toContainText(/view jobs and logs\s*start jobs: Nothing/)
  await expect(listed).toContainText(token.slice(0, token.lastIndexOf('_', token.indexOf('_', 3)) + 1))
  await expect(page.getByRole('main')).not.toContainText(token)
  await listed.getByRole('button', { name: `Revoke token ${name}` }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Revoke token' }).click()
  await expect(panel.getByRole('status').first()).toHaveText(`Token ${name} revoked.`)
  await expect(panel).toContainText('You have no tokens.')
  expect(await use()).toBe(401)
})
