import { choice, line, log, prompt, promptBox } from '../fixtures/parts.ts'
import { expect, test } from '../fixtures/test.ts'

test('a free text answers', async ({ page, spiderpig }) => {
  const id = await spiderpig.api.submit('hello')
  await page.goto(`/jobs/${id}`)
  await expect(prompt(page, id)).toContainText('Who is to be greeted?')
  await prompt(page, id).getByRole('textbox', { name: 'Your answer' }).fill('Ada <b>Lovelace</b>')
  await prompt(page, id).getByRole('button', { name: 'Send' }).click()
  await expect(prompt(page, id)).toContainText('How?')
  await choice(page, id, 'Loudly').click()
  await expect(line(page, id, 'HELLO, Ada <b>Lovelace</b>!').first()).toBeVisible()
})

test('an empty line is an answer, too', async ({ page, spiderpig }) => {
  const id = await spiderpig.api.submit('hello')
  await page.goto(`/jobs/${id}`)
  await prompt(page, id).getByRole('button', { name: 'Send' }).click()
  await expect(promptBox(page, id)).toContainText('You answered with an empty line. Delivered.')
  await choice(page, id, 'Politely').click()
  await expect(line(page, id, 'Good day, .').first()).toBeVisible()
  await expect(log(page, id)).toContainText('alice answered: p')
})

test('a prompt is in view wherever the page is scrolled to', async ({ page, spiderpig }) => {
  const id = await spiderpig.api.submit('question')
  await page.setViewportSize({ width: 320, height: 500 })
  await page.goto(`/jobs/${id}`)
  const buttons = [choice(page, id, 'Deploy'), choice(page, id, 'Stop here')]
  for (const place of [0, 200, 100_000]) {
    await page.evaluate((top) => window.scrollTo({ top, behavior: 'instant' }), place)
    for (const button of buttons) {
      await expect(button).toBeInViewport({ ratio: 1 })
    }
  }
})

test('a prompt is answered where it is listed', async ({ page, spiderpig }) => {
  const id = await spiderpig.api.submit('question')
  await page.goto('/')
  await choice(page, id, 'Deploy').click()
  await spiderpig.api.reaches(id, 'succeeded')
  await expect(page.getByRole('region', { name: 'Running now' })).toContainText('No jobs are running.')
  await expect(page.getByRole('region', { name: 'Job history' })).toContainText(`${id}: A question`)
})

test('a click that was meant for the prompt before does not answer', async ({ page, spiderpig }) => {
  const id = await spiderpig.api.submit('question')
  await page.goto(`/jobs/${id}`)
  const deploy = choice(page, id, 'Deploy')
  await expect(deploy).toBeEnabled()
  // Somebody is about to press it when another question takes its place: the click comes in the same moment.
  await page.evaluate(() => {
    new MutationObserver((_, observer) => {
      const button = [...document.querySelectorAll('button')].find(({ textContent }) =>
        /^\s*Roll back/.test(textContent),
      )
      if (button) {
        observer.disconnect()
        button.click()
        document.title = 'clicked'
      }
    }).observe(document.body, { childList: true, subtree: true })
  })
  const clicked = page.waitForFunction(() => document.title === 'clicked')
  await spiderpig.api.signal(id, 'interrupt')
  await clicked
  await expect(prompt(page, id)).toContainText('Roll back what was done?')
  // It can be answered a moment later, which shows that it was not.
  await choice(page, id, 'Leave it').click()
  await expect(line(page, id, 'The answer was l')).toBeVisible()
})
