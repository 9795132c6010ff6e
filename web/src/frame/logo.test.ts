import { readFile } from 'node:fs/promises'

import { expect, test } from 'vitest'

test('the logo is the picture that the API gives to browsers', async () => {
  const read = (path: string) => readFile(path, 'utf8')
  expect(await read('src/frame/logo.svg')).toBe(await read('../src/api/handlers/favicon/favicon.svg'))
})
