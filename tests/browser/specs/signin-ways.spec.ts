import { expectGoodLooks } from '../fixtures/accessible.ts'
import { prompt } from '../fixtures/parts.ts'
import { giveSession, signIn, typePassword } from '../fixtures/people.ts'
import { expect, test } from '../fixtures/withPeople.ts'

/** Where somebody asks to be led to after signing in, and where they are led to. */
const WAYS = [
  { asked: '?next=/runner', led: '/runner' },
  { asked: '?redirect=/runner', led: '/runner' },
  { asked: '?next=javascript:alert(1)', led: '/' },
  { asked: '?redirect=javascript:alert(document.domain)', led: '/' },
  { asked: '?next=//evil.example', led: '/' },
  { asked: '?next=https://evil.example/', led: '/' },
  { asked: '?next=/%5Cevil.example', led: '/' },
  { asked: '?next=/%09/evil.example', led: '/' },
  { asked: '?next=%2F%2Fevil.example%2Fjobs%2F1', led: '/' },
]

test('who signs in gets where they wanted to go, and nowhere else', async ({ page, context, spiderpig }) => {
  const alice = await signIn(spiderpig, 'alice')
  const id = await alice.submit('question')
  const foreign: string[] = []
  page.on('request', (request) => {
    if (!request.url().startsWith(spiderpig.api.url)) {
      foreign.push(request.url())
    }
  })
  page.on('dialog', async (dialog) => {
    foreign.push(dialog.message())
    await dialog.dismiss()
  })

  await test.step('a link to a job', async () => {
    await page.goto(`/jobs/${id}#L1`)
    await expect(page).toHaveURL(`/login?next=/jobs/${id}%23L1`)
    await expectGoodLooks(page, 'the page for signing in')
    await typePassword(page, 'alice')
    await expect(page).toHaveURL(`/jobs/${id}#L1`)
    await expect(prompt(page, id)).toContainText('Deploy to all wikis?')
  })

  for (const { asked, led } of WAYS.slice(2, 5)) {
    await test.step(`${asked}, typing the password`, async () => {
      await context.clearCookies()
      await page.goto(`/login${asked}`)
      await typePassword(page, 'alice')
      await expect(page).toHaveURL(led)
      await expect(page.getByRole('heading', { level: 1 })).toHaveText('Overview')
    })
  }

  await giveSession(context, alice)
  for (const { asked, led } of WAYS) {
    await test.step(`${asked}, being signed in`, async () => {
      await page.goto(`/login${asked}`)
      await expect(page).toHaveURL(led)
    })
  }
  expect(foreign).toEqual([])
})
