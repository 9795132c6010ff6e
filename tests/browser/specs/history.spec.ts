import { history } from '../fixtures/parts.ts'
import { expect, test } from '../fixtures/test.ts'

test('the history is filtered, and the address keeps the filter', async ({ page, spiderpig }) => {
  const { api } = spiderpig
  const bob = await spiderpig.apiOf('bob')
  const noop = await api.submit('noop')
  const failed = await bob.submit('fail')
  const alices = await api.submit('kinds', { name: 'needle' })
  const bobs = await bob.submit('kinds', { name: 'other' })
  await Promise.all([noop, failed, alices, bobs].map((id) => api.reaches(id, 'succeeded', 'failed')))
  await page.goto('/')
  const rows = history(page).getByRole('rowheader')
  const panel = history(page)
  await expect(rows).toHaveCount(4)
  await expect(panel).toContainText('4 jobs')

  await test.step('by outcome', async () => {
    await panel.getByRole('button', { name: 'Failed' }).click()
    await expect(rows).toHaveText([`${failed}: A failure`])
    await expect(page).toHaveURL('/?outcome=failed')
    await page.reload()
    await expect(rows).toHaveText([`${failed}: A failure`])
    await expect(panel.getByRole('button', { name: 'Failed' })).toHaveAttribute('aria-pressed', 'true')
    await panel.getByRole('button', { name: 'Clear filters' }).click()
    await expect(rows).toHaveCount(4)
    await expect(page).toHaveURL('/')
  })

  await test.step('by user', async () => {
    await panel.getByRole('combobox', { name: 'User' }).fill('bob')
    await expect(rows).toHaveText([`${bobs}: All kinds of parametersother`, `${failed}: A failure`].map(starts))
    await expect(page).toHaveURL('/?user=bob')
  })

  await test.step('and by type', async () => {
    await panel.getByRole('combobox', { name: 'Type' }).click()
    await panel.getByRole('option', { name: 'All kinds of parameters' }).click()
    await expect(rows).toHaveText([starts(`${bobs}: All kinds of parameters`)])
    await expect(page).toHaveURL('/?user=bob&type=kinds')
    await page.goBack()
    await expect(rows).toHaveCount(2)
    await expect(page).toHaveURL('/?user=bob')
  })

  await test.step('by text', async () => {
    await page.goto('/?q=needle')
    await expect(rows).toHaveText([starts(`${alices}: All kinds of parameters`)])
    await panel.getByRole('searchbox', { name: 'Search parameters' }).fill('nothing has this')
    await expect(panel).toContainText('No jobs match.')
    await expect(page).toHaveURL('/?q=nothing+has+this')
  })

  await test.step('a job that ends now is there at once, if it matches', async () => {
    await page.goto('/?user=bob')
    await expect(rows).toHaveCount(2)
    const more = await bob.submit('noop')
    await api.submit('noop')
    await expect(rows).toHaveText([`${more}: Nothing`, `${bobs}: All kinds`, `${failed}: A failure`].map(starts))
  })
})

function starts(text: string): RegExp {
  return new RegExp(`^\\s*${text}`)
}

test('a long history is loaded piece by piece', async ({ page, spiderpig }) => {
  const { api } = spiderpig
  for (let count = 0; count < 60; count += 1) {
    await api.submit('noop')
  }
  await api.reaches(60, 'succeeded')
  await page.goto('/')
  const rows = history(page).getByRole('rowheader')
  await expect(rows).toHaveCount(25)
  await history(page).getByRole('button', { name: 'Load more' }).click()
  await expect(rows).toHaveCount(50)
  await history(page).getByRole('button', { name: 'Load more' }).click()
  await expect(rows).toHaveCount(60)
  await expect(rows.first()).toContainText('60: Nothing')
  await expect(rows.last()).toContainText('1: Nothing')
  await expect(history(page).getByRole('button', { name: 'Load more' })).toBeHidden()
})
