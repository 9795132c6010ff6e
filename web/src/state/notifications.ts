import { computed, shallowRef } from 'vue'

import { isBoolean, preference } from './preference.ts'

/** Whether the user wants notifications. The browser has to allow them, too. */
const isWanted = preference('notifications', false, isBoolean)

type Permission = NotificationPermission | 'unsupported'

const permission = shallowRef<Permission>(permissionNow())

/** Browsers offer notifications only over https or on localhost, and not all browsers do. */
function permissionNow(): Permission {
  return 'Notification' in window ? Notification.permission : 'unsupported'
}

const PROBLEMS: Record<Permission, string | null> = {
  granted: null,
  default: 'The browser has no permission yet to show notifications. Turn this on to grant it.',
  denied: 'The browser blocks notifications from this page. Allow them in the site settings, next to the address.',
  unsupported: 'Notifications are not available: they need https and a browser that supports them.',
}

/** Whether notifications are wanted and allowed. */
export const hasNotifications = computed(() => isWanted.value && permission.value === 'granted')

/** Why there are no notifications, and what to do. Null if nothing prevents them. */
export const notificationProblem = computed(() => {
  const isUntried = permission.value === 'default' && !isWanted.value
  return isUntried ? null : PROBLEMS[permission.value]
})

/** Reads the permission again, as users change it in the browser's settings. */
export function lookAtPermission(): void {
  permission.value = permissionNow()
}

/** Switches notifications on or off. The browser asks for permission when they are switched on. */
export async function wantNotifications(isOn: boolean): Promise<void> {
  isWanted.value = isOn
  if (isOn && 'Notification' in window) {
    await Notification.requestPermission()
  }
  lookAtPermission()
}

export interface NotificationOptions {
  title: string
  body: string
  /** Identifies the subject: a new notification with the same tag replaces the old one. */
  tag: string
  /** Whether it stays until the user reacts. */
  stays: boolean
  onClick: () => void
}

/** Shows a notification. Null if the browser cannot, as on phones. */
export function notify({ title, body, tag, stays, onClick }: NotificationOptions): Notification | null {
  try {
    const notification = new Notification(title, { body, tag, requireInteraction: stays })
    notification.onclick = () => {
      window.focus()
      onClick()
      notification.close()
    }
    return notification
  } catch {
    permission.value = 'unsupported'
    return null
  }
}
