import type { Page } from '@playwright/test'

import { choice, line, prompt, promptBox, runningJob } from '../fixtures/parts.ts'
import { expect, test } from '../fixtures/test.ts'

/** Does what a translating extension does, which heeds no `translate="no"`: text nodes become elements, at every change. */
async function translate(page: Page): Promise<void> {
  await page.addInitScript(() => {
    const translated = new WeakSet<Node>()
    const walk = (root: Node): void => {
      const nodes = document.createTreeWalker(root, NodeFilter.SHOW_TEXT)
      const texts: Text[] = []
      while (nodes.nextNode()) {
        texts.push(nodes.currentNode as Text)
      }
      for (const text of texts) {
        if (!translated.has(text) && text.data.trim() !== '' && text.parentElement?.closest('script, style') === null) {
          const element = document.createElement('font')
          element.textContent = text.data
          translated.add(element.firstChild!)
          text.replaceWith(element)
        }
      }
    }
    new MutationObserver((changes) =>
      changes.forEach(({ addedNodes }) => addedNodes.forEach((node) => walk(node.parentNode ?? node))),
    ).observe(document, { childList: true, subtree: true })
  })
}

test('the page asks not to be translated', async ({ page }) => {
  await page.goto('/')
  await expect(page.locator('html')).toHaveAttribute('translate', 'no')
})

for (const place of ['on its page', 'on the overview']) {
  test(`a page that is translated all the same shows what a job asks now, ${place}`, async ({ page, spiderpig }) => {
    await translate(page)
    const id = await spiderpig.api.submit('hello')
    const isOverview = place === 'on the overview'
    await page.goto(isOverview ? '/' : `/jobs/${id}`)
    await expect(page.locator('font').first()).toBeAttached()
    await expect(prompt(page, id)).toContainText('Who is to be greeted?')
    const state = isOverview
      ? runningJob(page, id)
      : page.locator('header', { has: page.getByRole('heading', { level: 1 }) })
    await expect(state).toContainText('Waiting for an answer')

    await prompt(page, id).getByRole('textbox', { name: 'Your answer' }).fill('Ada')
    await prompt(page, id).getByRole('button', { name: 'Send' }).click()
    await expect(prompt(page, id)).toContainText('How?')
    await expect(prompt(page, id)).not.toContainText('Who is to be greeted?')
    await choice(page, id, 'Loudly').click()
    if (isOverview) {
      await expect(runningJob(page, id)).toBeHidden()
    } else {
      await expect(line(page, id, 'HELLO, Ada!').first()).toBeVisible()
      await expect(promptBox(page, id)).toContainText('You answered “Loudly”. Delivered.')
      await expect(state).toContainText('Succeeded')
      await expect(state).not.toContainText('Waiting for an answer')
    }
  })
}
