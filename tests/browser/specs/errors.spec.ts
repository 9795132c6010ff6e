import { exampleErrors, report, reportErrors } from '../fixtures/monitoring.ts'
import { expect, test } from '../fixtures/test.ts'

test('the errors of MediaWiki: listed, filtered, counted in the navigation, and never made up', async ({
  page,
  spiderpig,
}) => {
  await page.goto('/mediawiki/logs')
  const main = page.getByRole('main')
  const navigation = page.getByRole('navigation', { name: 'Pages' })

  await test.step('nobody has told any', async () => {
    await expect(main).toContainText('there is no monitoring/mediawiki.json in the spool')
    await expect(navigation.getByRole('link', { name: 'Errors', exact: true })).toBeVisible()
  })

  reportErrors(spiderpig)
  const rows = main.getByRole('list').first().getByRole('listitem')

  await test.step('they are listed, with how often, and in which versions', async () => {
    await expect(main.getByRole('heading', { level: 2 })).toHaveText('4 messages, 62 errors in all')
    await expect(navigation.getByRole('link', { name: 'Errors 62' })).toBeVisible()
    await expect(main).toContainText(/41 times\s*TypeError: Argument 1[^]*1\.46\.0-wmf\.3/)
  })

  await test.step('they are filtered, and the address keeps the filter', async () => {
    await main.getByRole('searchbox', { name: 'Search messages' }).fill('undefined ARRAY')
    await expect(main.getByRole('heading', { level: 2 })).toHaveText('1 of 4 messages, 62 errors in all')
    await expect(main).toContainText('PHP Warning')
    await expect(main).not.toContainText('TypeError')
    await expect(page).toHaveURL(/\?q=undefined/)
    await main.getByRole('button', { name: 'Clear filters' }).click()
    await main.getByRole('combobox', { name: 'Version' }).click()
    await page.getByRole('option', { name: '1.46.0-wmf.2' }).click()
    await expect(main.getByRole('heading', { level: 2 })).toHaveText('2 of 4 messages, 62 errors in all')
    await page.reload()
    await expect(main.getByRole('heading', { level: 2 })).toHaveText('2 of 4 messages, 62 errors in all')
    await main.getByRole('button', { name: 'Clear filters' }).click()
  })

  await test.step('what is new is seen at once', async () => {
    const log = exampleErrors()
    log['RuntimeException: <b>new</b>'] = { count: 1000, versions: ['1.46.0-wmf.3'] }
    reportErrors(spiderpig, log)
    await expect(navigation.getByRole('link', { name: 'Errors 1,062' })).toBeVisible()
    await expect(main).toContainText(/1,000 times\s*New\s*RuntimeException: <b>new<\/b>/)
    await expect(main).toContainText('1 new or increased since')
  })

  await test.step('a damaged file warns, and what was known stays', async () => {
    report(spiderpig, 'mediawiki', '{"format": 1, "time": ')
    await expect(main).toContainText('This may be old')
    await expect(main).toContainText('TypeError: Argument 1')
    await expect(navigation.getByRole('link', { name: 'Errors 1,062' })).toBeVisible()
    await expect(rows.first()).toBeVisible()
  })
})
