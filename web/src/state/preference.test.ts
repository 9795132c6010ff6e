import { beforeEach, describe, expect, test, vi } from 'vitest'
import { watchEffect } from 'vue'

import { isBoolean, isOneOf, preference } from './preference.ts'

beforeEach(() => localStorage.clear())

/** Another tab stores this. */
function elsewhere(key: string | null, value: string): void {
  if (key !== null) {
    localStorage.setItem(key, value)
  }
  const event = new Event('storage')
  Object.defineProperty(event, 'key', { value: key })
  window.dispatchEvent(event)
}

describe('a preference', () => {
  test('is the standard one until somebody chooses, and then stays', () => {
    const wrap = preference('wrap', true, isBoolean)
    expect(wrap.value).toBe(true)
    wrap.value = false
    expect(preference('wrap', true, isBoolean).value).toBe(false)
    expect(localStorage.getItem('spiderpig.wrap')).toBe('false')
  })

  test.each(['{', '"yes"', '7', 'null', ''])('that is stored as %j is not one', (stored) => {
    localStorage.setItem('spiderpig.wrap', stored)
    expect(preference('wrap', true, isBoolean).value).toBe(true)
  })

  test('is the same in all tabs, at once', () => {
    const seen: string[] = []
    const theme = preference('theme', 'system', isOneOf(['system', 'dark']))
    watchEffect(() => seen.push(theme.value), { flush: 'sync' })
    elsewhere('spiderpig.theme', '"dark"')
    elsewhere('spiderpig.other', '"x"')
    localStorage.clear()
    elsewhere(null, '')
    expect(seen).toEqual(['system', 'dark', 'system'])
  })

  test('lasts as long as the page if it cannot be stored', () => {
    vi.spyOn(Storage.prototype, 'setItem').mockImplementation(() => {
      throw new DOMException('full', 'QuotaExceededError')
    })
    const wrap = preference('wrap', true, isBoolean)
    wrap.value = false
    expect(wrap.value).toBe(false)
  })

  test('is the standard one if nothing can be read', () => {
    vi.spyOn(Storage.prototype, 'getItem').mockImplementation(() => {
      throw new DOMException('no', 'SecurityError')
    })
    expect(preference('wrap', true, isBoolean).value).toBe(true)
  })
})
