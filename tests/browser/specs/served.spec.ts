import { expect, test } from '../fixtures/test.ts'

test('the page and its files come compressed, are kept as long as they may be, and nothing else runs', async ({
  page,
}) => {
  const loaded: { path: string; headers: Record<string, string> }[] = []
  page.on('response', (response) => {
    loaded.push({ path: new URL(response.url()).pathname, headers: response.headers() })
  })
  const response = await page.goto('/runner')
  await expect(page.getByRole('heading', { level: 1 })).toBeVisible()
  const of = (pattern: RegExp) => loaded.find(({ path }) => pattern.test(path))?.headers ?? {}
  expect(of(/^\/runner$/)).toMatchObject({ 'cache-control': 'no-cache', 'content-encoding': 'br' })
  for (const file of [of(/^\/assets\/.*\.js$/), of(/^\/assets\/.*\.css$/)]) {
    expect(file).toMatchObject({
      'cache-control': 'public, max-age=31536000, immutable',
      'content-encoding': 'br',
      'x-content-type-options': 'nosniff',
    })
  }
  const policy = response?.headers()['content-security-policy'] ?? ''
  expect(policy).toContain("default-src 'none'")
  expect(policy).toContain("frame-ancestors 'none'")
  expect(policy).not.toContain('unsafe')
})

test('a file that the page does not have is no page', async ({ request }) => {
  const response = await request.get('/assets/index-0.js', { headers: { Accept: 'text/html' } })
  expect(response.status()).toBe(404)
  expect(response.headers()['content-type']).toBe('application/json')
})
