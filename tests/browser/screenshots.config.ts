import { defineConfig } from '@playwright/test'

import { CHROMIUM } from './chromium.ts'

/** Makes the pictures of the documents: `npm run screenshots`. */
export default defineConfig({
  testDir: 'screenshots',
  testMatch: 'screenshots.ts',
  outputDir: 'results',
  reporter: 'list',
  workers: 1,
  retries: 0,
  timeout: 120_000,
  expect: { timeout: 30_000 },
  use: { ...CHROMIUM, deviceScaleFactor: 1, timezoneId: 'UTC', contextOptions: { reducedMotion: 'reduce' } },
})
