import { expectGoodLooks } from '../fixtures/accessible.ts'
import { PASSWORD } from '../fixtures/accounts.ts'
import { Authenticator } from '../fixtures/authenticator.ts'
import { tabTo } from '../fixtures/keyboard.ts'
import { enrol, typePassword } from '../fixtures/people.ts'
import { expect, test } from '../fixtures/withPeople.ts'

test.use({ needsSecondFactor: true })

test('somebody signs in for the first time, and sets up a second factor, without a mouse', async ({
  page,
  spiderpig,
  complaints,
}) => {
  const form = page.getByRole('region', { name: 'Sign in' })
  const user = form.getByRole('textbox', { name: 'User name' })
  const password = form.getByLabel('Password', { exact: true })

  await test.step('an account that was made on the host a moment ago', async () => {
    await page.goto('/start/hello?times=2')
    await expect(page).toHaveURL('/login?next=/start/hello?times=2')
    await expect(user).toBeFocused()
    spiderpig.command(['user', 'add', 'carol', '--group', 'deployers'], { input: PASSWORD })
  })

  await test.step('password managers know what is what', async () => {
    await expect(user).toHaveAttribute('autocomplete', 'username')
    await expect(user).toHaveAttribute('name', 'username')
    await expect(password).toHaveAttribute('autocomplete', 'current-password')
    await expect(password).toHaveAttribute('name', 'password')
    await expect(password).toHaveAttribute('type', 'password')
  })

  await test.step('a wrong password is told next to the form, and nothing is lost', async () => {
    complaints.expectRefusal(401)
    await page.keyboard.type('carol')
    await page.keyboard.press('Tab')
    await expect(password).toBeFocused()
    await page.keyboard.type('not the password')
    await page.keyboard.press('Enter')
    await expect(form.getByRole('alert')).toHaveText('Wrong user name or password.')
    await expect(user).toHaveValue('carol')
    await expect(password).toHaveValue('not the password')
    await expect(password).toBeFocused()
    await expectGoodLooks(page, 'a password that was refused')
  })

  await test.step('the right one leads to the second factor', async () => {
    await page.keyboard.press('Control+A')
    await page.keyboard.type(PASSWORD)
    await page.keyboard.press('Enter')
    await expect(page).toHaveURL('/enrol?next=/start/hello?times=2')
    await expect(page.getByRole('main')).toBeFocused()
  })

  const step = page.getByRole('region', { name: 'Add the key to your app' })
  const code = step.getByRole('textbox', { name: 'Code' })
  let app = new Authenticator('')

  await test.step('the key is there to scan and to type', async () => {
    // The three big squares of a QR code: a row of seven at its left and at its right.
    const drawn = await step
      .getByRole('img', { name: /^QR code/ })
      .locator('path')
      .getAttribute('d')
    expect(drawn).toMatch(/^M0 0h7v1h-7z.*M(\d+) 0h7v1h-7zM0 1h1v1h-1zM6 1h1v1h-1z/)
    await expect(code).toHaveAttribute('autocomplete', 'one-time-code')
    await expect(code).toHaveAttribute('inputmode', 'numeric')
    app = new Authenticator(await step.locator('code').innerText())
    await expectGoodLooks(page, 'the key of a second factor')
  })

  await test.step('a wrong code is told, and the next one can be typed at once', async () => {
    complaints.expectRefusal(400)
    await tabTo(page, code)
    await page.keyboard.type('000000')
    await expect(step.getByRole('alert')).toContainText('Wrong code')
    await expect(code).toBeFocused()
    await expect(code).toHaveValue('')
    await page.keyboard.type(await app.code())
  })

  const codes = page.getByRole('region', { name: 'Save your recovery codes' })
  const shown = codes.getByRole('list', { name: 'Recovery codes' }).getByRole('listitem')

  await test.step('the recovery codes are shown, and downloaded', async () => {
    await expect(codes).toBeFocused()
    await expect(shown).toHaveCount(10)
    await expectGoodLooks(page, 'recovery codes')
    const downloading = page.waitForEvent('download')
    await tabTo(page, codes.getByRole('button', { name: 'Download the recovery codes' }))
    await page.keyboard.press('Enter')
    const download = await downloading
    expect(download.suggestedFilename()).toBe('spiderpig-recovery-codes.txt')
    const text = Buffer.concat((await (await download.createReadStream()).toArray()) as Buffer[]).toString()
    expect(text).toContain(`Recovery codes of carol for SpiderPig at ${spiderpig.api.url}`)
    expect(text).toContain(`\n${(await shown.allInnerTexts()).join('\n')}\n`)
  })

  await test.step('nobody goes on without having kept them', async () => {
    const goOn = codes.getByRole('button', { name: 'Continue' })
    await tabTo(page, goOn)
    await page.keyboard.press('Enter')
    await expect(codes.getByRole('alert').last()).toContainText('Save the codes first')
    await expect(codes.getByRole('checkbox', { name: 'I have saved these codes' })).toBeFocused()
    await page.keyboard.press('Space')
    await tabTo(page, goOn)
    await page.keyboard.press('Enter')
    await expect(page).toHaveURL('/start/hello?times=2')
    await expect(page.getByRole('heading', { level: 1 })).toHaveText('Greeting')
    await expect(page.getByRole('textbox', { name: 'How often' })).toHaveValue('2')
  })

  await test.step('and nobody sees them again', async () => {
    await page.goto('/enrol')
    await expect(page.getByRole('main')).toContainText('You already have a second factor.')
    await expect(shown).toHaveCount(0)
  })
})

test('a code lets in once, as does a recovery code, and after five wrong ones none does', async ({
  page,
  spiderpig,
  complaints,
}) => {
  complaints.expectRefusal(400)
  const { app, recoveryCodes } = await enrol(spiderpig, 'alice')
  const form = page.getByRole('region', { name: 'Second factor' })
  const field = form.getByRole('textbox', { name: 'Code' })
  const recovery = form.getByRole('textbox', { name: 'Recovery code' })
  const overview = page.getByRole('heading', { level: 1, name: 'Overview' })
  const code = await app.code()

  const signOut = async () => {
    await page.getByRole('button', { name: 'Settings of alice' }).click()
    await page.getByRole('link', { name: 'Sign out' }).click()
    await expect(page.getByRole('main')).toContainText('You are signed out of SpiderPig in this browser.')
  }

  await test.step('a code', async () => {
    await page.goto('/')
    await typePassword(page, 'alice')
    await expect(page).toHaveURL('/second-factor')
    await expect(field).toBeFocused()
    await expect(field).toHaveAttribute('autocomplete', 'one-time-code')
    await expect(field).toHaveAttribute('inputmode', 'numeric')
    await expectGoodLooks(page, 'a code that is asked for')
    // As apps show it. It is sent as soon as it is there.
    await field.pressSequentially(`${code.slice(0, 3)} ${code.slice(3)}`)
    await expect(overview).toBeVisible()
    await signOut()
    await expectGoodLooks(page, 'somebody who is signed out')
  })

  await test.step('the same one again', async () => {
    await page.getByRole('main').getByRole('link', { name: 'Sign in again' }).click()
    await expect(page).toHaveURL('/login')
    await typePassword(page, 'alice')
    await field.pressSequentially(code)
    await expect(form.getByRole('alert')).toContainText('Wrong code, or a code that was used before.')
    await expect(field).toBeFocused()
    await expect(field).toHaveValue('')
  })

  await test.step('a recovery code, without the app', async () => {
    await form.getByRole('link', { name: 'Use a recovery code' }).click()
    await expect(recovery).toBeFocused()
    await recovery.fill(recoveryCodes[0]!)
    await recovery.press('Enter')
    await expect(form).toContainText('The recovery code cannot be used again. 9 codes are left.')
    await expectGoodLooks(page, 'a recovery code that is used up')
    await form.getByRole('button', { name: 'Continue' }).click()
    await expect(overview).toBeVisible()
    await signOut()
  })

  await test.step('five that are wrong', async () => {
    complaints.expectRefusal(429)
    await page.goto('/second-factor?recovery')
    await expect(page).toHaveURL('/login')
    await typePassword(page, 'alice')
    await form.getByRole('link', { name: 'Use a recovery code' }).click()
    await recovery.fill(recoveryCodes[0]!)
    await recovery.press('Enter')
    await expect(form.getByRole('alert')).toContainText('Wrong code, or a code that was used before.')
    // The first was used before. What was wrong before a right one does not count.
    for (const wrong of ['aaaa-aaaa-aaaa', 'bbbb-bbbb-bbbb', 'cccc-cccc-cccc', 'dddd-dddd-dddd']) {
      await expect(form.getByRole('alert')).toContainText('Wrong code')
      await recovery.fill(wrong)
      await recovery.press('Enter')
      await expect(recovery).toHaveValue('')
    }
    await expect(form.getByRole('alert')).toContainText('Too many attempts. Try again in 15 minutes')
  })

  await test.step('and then a right one', async () => {
    await form.getByRole('link', { name: 'Use a code from your app' }).click()
    await field.pressSequentially(await app.code())
    await expect(form.getByRole('alert')).toContainText('Too many attempts.')
    await expect(form).toContainText(/You can try again at \d\d:\d\d:\d\d UTC, in 1[45] min/)
    await page.goto('/')
    await expect(page).toHaveURL('/second-factor')
  })
})
