import type { PlaywrightTestOptions, PlaywrightWorkerOptions } from '@playwright/test'

/** The browser: Debian's, unless SPIDERPIG_CHROMIUM names another. Nothing is downloaded. */
export const CHROMIUM: Partial<PlaywrightTestOptions & PlaywrightWorkerOptions> = {
  browserName: 'chromium',
  launchOptions: {
    executablePath: process.env.SPIDERPIG_CHROMIUM ?? '/usr/bin/chromium',
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  },
}
