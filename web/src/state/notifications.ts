import { computed, shallowRef } from 'vue'

import { isBoolean, preference } from './preference.ts'

/** Whether this person wants notifications. The browser has to allow them, too. */
const isWanted = preference('notifications', false, isBoolean)

type Permission = NotificationPermission | 'unsupported'

const permission = shallowRef<Permission>(permissionNow())

/** Browsers have notifications only for pages over https or of this machine, and not all of them. */
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

/** Why there are none, and what to do. Null if nothing is in the way. */
export const notificationProblem = computed(() => {
  const isUntried = permission.value === 'default' && !isWanted.value
  return isUntried ? null : PROBLEMS[permission.value]
})

/** Looks again what the browser allows: people change that in its settings. */
export function lookAtPermission(): void {
  permission.value = permissionNow()
}

/** Switches notifications on or off. Who switches them on is asked by the browser. */
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
  /** What it is about: the system replaces a notification by another one with the same tag. */
  tag: string
  /** Whether it stays until somebody has seen to it. */
  stays: boolean
  onClick: () => void
}

/** Shows a notification. Null if the browser does not, as on phones. */
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
