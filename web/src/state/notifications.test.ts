import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'

import { hasNotifications, lookAtPermission, notificationProblem, notify, wantNotifications } from './notifications.ts'

const shown = vi.fn()

class FakeNotification {
  static permission: NotificationPermission
  static readonly requestPermission = vi.fn<() => Promise<NotificationPermission>>()
  onclick: (() => void) | null = null
  readonly close = vi.fn()
  constructor(...given: unknown[]) {
    shown(...given)
  }
}

const NEWS = { title: 'Job 1 asks', body: 'Go on?', tag: 'prompt 1', stays: true, onClick: vi.fn() }

/** The browser's answer to a request for permission. */
function answer(permission: NotificationPermission): void {
  FakeNotification.requestPermission.mockImplementation(() => {
    FakeNotification.permission = permission
    return Promise.resolve(permission)
  })
}

beforeEach(async () => {
  vi.stubGlobal('Notification', FakeNotification)
  FakeNotification.permission = 'default'
  FakeNotification.requestPermission.mockReset()
  shown.mockReset()
  await wantNotifications(false)
})

afterEach(() => vi.unstubAllGlobals())

describe('notifications', () => {
  test('are off, and nobody is asked, until somebody wants them', () => {
    expect(hasNotifications.value).toBe(false)
    expect(notificationProblem.value).toBeNull()
    expect(FakeNotification.requestPermission).not.toHaveBeenCalled()
  })

  test('are on when they are wanted and allowed', async () => {
    answer('granted')
    await wantNotifications(true)
    expect(hasNotifications.value).toBe(true)
    expect(notificationProblem.value).toBeNull()
    await wantNotifications(false)
    expect(hasNotifications.value).toBe(false)
  })

  test('that are blocked say so, and are there as soon as they are not', async () => {
    answer('denied')
    await wantNotifications(true)
    expect(hasNotifications.value).toBe(false)
    expect(notificationProblem.value).toContain('blocks')
    FakeNotification.permission = 'granted'
    lookAtPermission()
    expect(hasNotifications.value).toBe(true)
    expect(notificationProblem.value).toBeNull()
  })

  test('are not where the browser has none', async () => {
    vi.unstubAllGlobals()
    Reflect.deleteProperty(window, 'Notification')
    await wantNotifications(true)
    expect(hasNotifications.value).toBe(false)
    expect(notificationProblem.value).toContain('https')
  })

  test('lead to what they are about, and are gone then', () => {
    const notification = notify(NEWS)
    expect(shown).toHaveBeenCalledWith('Job 1 asks', { body: 'Go on?', tag: 'prompt 1', requireInteraction: true })
    notification?.onclick?.(new Event('click'))
    expect(NEWS.onClick).toHaveBeenCalledOnce()
    expect(notification?.close).toHaveBeenCalledOnce()
  })

  test('that a page cannot show are none, as on phones', async () => {
    answer('granted')
    await wantNotifications(true)
    shown.mockImplementation(() => {
      throw new TypeError('Illegal constructor')
    })
    expect(notify(NEWS)).toBeNull()
    expect(hasNotifications.value).toBe(false)
  })
})
