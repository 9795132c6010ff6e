import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { effectScope, type EffectScope, type Ref } from 'vue'

import { api } from '@/api/client.ts'

import { useUpgrade } from './upgrade.ts'

let scope: EffectScope
let snapshot: () => Promise<void>
let isUpgraded: Readonly<Ref<boolean>>

const html = (entry: string) =>
  `<!doctype html><head><script type="module" crossorigin src="/assets/${entry}.js"></script></head>`

/** Opens a built page. */
function open({ isProduction = true } = {}): void {
  vi.stubEnv('PROD', isProduction)
  let listener: () => void = () => undefined
  const run = scope.run(() => useUpgrade({ onSnapshot: (told) => (listener = told) }))
  if (run === undefined) {
    throw new Error('the scope has ended')
  }
  isUpgraded = run
  snapshot = async () => {
    listener()
    await new Promise((resolve) => setTimeout(resolve))
  }
}

beforeEach(() => {
  scope = effectScope()
  const script = document.createElement('script')
  script.setAttribute('src', '/assets/index-old.js')
  // It is not inserted, or it would be loaded.
  vi.spyOn(document, 'querySelector').mockReturnValue(script)
})

afterEach(() => {
  scope.stop()
  vi.unstubAllEnvs()
})

test('the first snapshot is of the API that sent the page', async () => {
  const page = vi.spyOn(api, 'page').mockResolvedValue(html('index-new'))
  open()
  await snapshot()
  expect(page).not.toHaveBeenCalled()
  expect(isUpgraded.value).toBe(false)
})

test('after a reconnection another program is an upgrade, and the same one is not', async () => {
  const page = vi.spyOn(api, 'page').mockResolvedValue(html('index-old'))
  open()
  await snapshot()
  await snapshot()
  expect(page).toHaveBeenCalledOnce()
  expect(isUpgraded.value).toBe(false)
  page.mockResolvedValue(html('index-new'))
  await snapshot()
  expect(isUpgraded.value).toBe(true)
  page.mockResolvedValue('<h1>Please log in</h1>')
  await snapshot()
  expect(isUpgraded.value).toBe(true)
})

test('neither an answer of a proxy nor none is an upgrade', async () => {
  const page = vi.spyOn(api, 'page').mockResolvedValue('<h1>Please log in</h1>')
  open()
  await snapshot()
  await snapshot()
  page.mockRejectedValue(new Error('SpiderPig cannot be reached'))
  await snapshot()
  expect(isUpgraded.value).toBe(false)
})

test('when a part of the page cannot be loaded it is an upgrade only if there is another program', async () => {
  const page = vi.spyOn(api, 'page').mockRejectedValue(new Error('SpiderPig cannot be reached'))
  open()
  window.dispatchEvent(new Event('vite:preloadError'))
  await vi.waitFor(() => expect(page).toHaveBeenCalledOnce())
  expect(isUpgraded.value).toBe(false)
  page.mockResolvedValue(html('index-new'))
  window.dispatchEvent(new Event('vite:preloadError'))
  await vi.waitFor(() => expect(isUpgraded.value).toBe(true))
})

test('while the page is being worked on nothing is compared', async () => {
  const page = vi.spyOn(api, 'page').mockResolvedValue(html('index-new'))
  open({ isProduction: false })
  await snapshot()
  await snapshot()
  expect(page).not.toHaveBeenCalled()
})
