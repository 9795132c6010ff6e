import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'

/** The locks that all tabs share. */
const held = new Set<string>()

const locks = {
  async request(name: string, _: LockOptions, use: (lock: object | null) => Promise<void>): Promise<void> {
    if (held.has(name)) {
      return use(null)
    }
    held.add(name)
    await use({}).finally(() => held.delete(name))
  },
}

/** Opens a tab, which knows only the stored values. */
async function openTab(): Promise<(what: string) => Promise<boolean>> {
  vi.resetModules()
  return (await import('./notifiedOnce.ts')).isFirstNotification
}

beforeEach(() => {
  vi.useFakeTimers()
  localStorage.clear()
  held.clear()
  Object.defineProperty(navigator, 'locks', { value: locks, configurable: true })
})

afterEach(() => {
  vi.useRealTimers()
  Reflect.deleteProperty(navigator, 'locks')
})

describe('something is told once', () => {
  test('by a tab', async () => {
    const isFirstNotification = await openTab()
    expect(await isFirstNotification('a')).toBe(true)
    expect(await isFirstNotification('a')).toBe(false)
    expect(await isFirstNotification('b')).toBe(true)
  })

  test('by one of several tabs, also before the storage has told the others', async () => {
    const tabs = [await openTab(), await openTab(), await openTab()]
    const stale = vi.spyOn(Storage.prototype, 'getItem').mockReturnValue(null)
    const first = await Promise.all(tabs.map((isFirstNotification) => isFirstNotification('a')))
    expect(first).toEqual([true, false, false])
    stale.mockRestore()
    await vi.advanceTimersByTimeAsync(5000)
    expect(held.size).toBe(0)
    expect(await tabs[2]?.('a')).toBe(false)
  })

  test('also after a reload', async () => {
    await (
      await openTab()
    )('a')
    await vi.advanceTimersByTimeAsync(5000)
    expect(await (await openTab())('a')).toBe(false)
  })

  test('without locks', async () => {
    Reflect.deleteProperty(navigator, 'locks')
    const [one, other] = [await openTab(), await openTab()]
    expect(await one('a')).toBe(true)
    expect(await other('a')).toBe(false)
  })

  test('without storage, by each tab', async () => {
    vi.spyOn(Storage.prototype, 'getItem').mockImplementation(() => {
      throw new DOMException('no', 'SecurityError')
    })
    vi.spyOn(Storage.prototype, 'setItem').mockImplementation(() => {
      throw new DOMException('no', 'SecurityError')
    })
    const isFirstNotification = await openTab()
    expect(await isFirstNotification('a')).toBe(true)
    expect(await isFirstNotification('a')).toBe(false)
  })

  test.each(['{', '7', '{"a": 1}'])('whatever is stored: %s', async (stored) => {
    localStorage.setItem('spiderpig.told', stored)
    expect(await (await openTab())('a')).toBe(true)
  })
})

test('what is remembered is bounded', async () => {
  Reflect.deleteProperty(navigator, 'locks')
  const isFirstNotification = await openTab()
  for (let index = 0; index < 600; index += 1) {
    await isFirstNotification(`prompt ${index}`)
  }
  const told = JSON.parse(localStorage.getItem('spiderpig.told') ?? '') as string[]
  expect(told).toHaveLength(500)
  expect(told.at(-1)).toBe('prompt 599')
})
