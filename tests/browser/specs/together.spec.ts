import { choice, log, prompt, promptBox, runningJob } from '../fixtures/parts.ts'
import { expect, test } from '../fixtures/test.ts'

test('one answers, and the other sees it', async ({ page, spiderpig, anotherBrowser }) => {
  const bob = await spiderpig.apiOf('bob')
  const id = await spiderpig.api.submit('backport', { change_url: ['42'] })
  const bobsPage = await anotherBrowser(bob.url)
  const bobsOverview = await anotherBrowser(bob.url)
  await Promise.all([page.goto(`/jobs/${id}`), bobsPage.goto(`/jobs/${id}`), bobsOverview.goto('/')])
  await expect(prompt(bobsPage, id)).toContainText('Backport the changes?')
  await expect(prompt(bobsOverview, id)).toContainText('Backport the changes?')

  await choice(page, id, 'Yes').click()
  await expect(promptBox(bobsPage, id)).toContainText('alice answered “Yes”.')
  await expect(runningJob(bobsOverview, id)).toContainText('Do you want to continue?')

  await choice(bobsOverview, id, 'Roll back').click()
  await expect(log(page, id)).toContainText('bob answered: r')
  await expect(page.getByRole('main')).toContainText('rolled back by bob')
  await expect(bobsPage.getByRole('main')).toContainText('rolled back by bob')
})

test('both answer: who was late is told who was first, and what they said', async ({
  page,
  spiderpig,
  anotherBrowser,
  complaints,
}) => {
  complaints.expectRefusal(409)
  const bob = await spiderpig.apiOf('bob')
  const id = await spiderpig.api.submit('backport', { change_url: ['42'] })
  const bobsPage = await anotherBrowser(bob.url)
  await Promise.all([page.goto(`/jobs/${id}`), bobsPage.goto(`/jobs/${id}`)])

  // Bob is first with his click, and his network is slow.
  let letGo = () => {}
  const isLetGo = new Promise<void>((resolve) => (letGo = resolve))
  await bobsPage.route('**/interact/*', async (route) => {
    await isLetGo
    await route.continue()
  })
  await choice(bobsPage, id, 'No').click()
  await expect(promptBox(bobsPage, id)).toContainText('Sending…')
  await choice(page, id, 'Yes').click()
  await expect(prompt(page, id)).toContainText('Do you want to continue?')
  letGo()

  await expect(promptBox(bobsPage, id)).toContainText('alice answered “Yes” first. Your answer does not count.')
  await expect(prompt(bobsPage, id)).toContainText('Do you want to continue?')
  await promptBox(bobsPage, id).getByRole('button', { name: 'Dismiss' }).click()
  await expect(promptBox(bobsPage, id)).not.toContainText('does not count')
})
