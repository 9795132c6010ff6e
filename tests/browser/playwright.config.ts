import { defineConfig } from '@playwright/test'

import { CHROMIUM } from './chromium.ts'

/** Stories of the page in a real browser, each against the real programs on a spool of its own. */
export default defineConfig({
  testDir: 'specs',
  outputDir: 'results',
  reporter: 'list',
  fullyParallel: true,
  // One more than there are cores: each waits at times.
  workers: 3,
  // What fails once is broken.
  retries: 0,
  forbidOnly: process.env.CI !== undefined,
  // Generous: there are two cores, and three browsers, runners and APIs, and what they run.
  timeout: 60_000,
  expect: { timeout: 10_000 },
  use: {
    ...CHROMIUM,
    actionTimeout: 10_000,
    trace: { mode: 'retain-on-failure', screenshots: false, snapshots: false, sources: false },
    viewport: { width: 1280, height: 900 },
    // Times are shown in UTC, and in local time, which is to be another one.
    timezoneId: 'Asia/Kolkata',
  },
})
