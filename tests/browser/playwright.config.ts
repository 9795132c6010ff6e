import { defineConfig } from '@playwright/test'

import { CHROMIUM } from './chromium.ts'

/** Stories of the page in a real browser, each against the real programs on a spool of its own. */
export default defineConfig({
  testDir: 'specs',
  outputDir: 'results',
  reporter: 'list',
  fullyParallel: true,
  workers: 2,
  // What fails once is broken.
  retries: 0,
  forbidOnly: process.env.CI !== undefined,
  timeout: 30_000,
  // Generous: there are two cores, and two browsers, runners and APIs, and what they run.
  expect: { timeout: 10_000 },
  use: {
    ...CHROMIUM,
    actionTimeout: 10_000,
    trace: 'retain-on-failure',
    viewport: { width: 1280, height: 900 },
    // Times are shown in UTC, and in local time, which is to be another one.
    timezoneId: 'Asia/Kolkata',
  },
})
