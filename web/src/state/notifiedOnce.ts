/** How many notifications are remembered, the newest ones. */
const KEPT = 500

const KEY = 'spiderpig.told'

/**
 * How long a tab holds the lock of a notification, in milliseconds. By then the storage, which browsers synchronise
 * with a delay, has it for all tabs.
 */
const SPREADING = 5000

/** The notifications of this tab, for browsers without storage. */
const notifiedHere = new Set<string>()

/**
 * Whether this is the first notification of something. From now on it counts as shown, in all tabs of this browser,
 * also after a reload.
 */
export async function isFirstNotification(what: string): Promise<boolean> {
  // Pages without https have no locks. Then two tabs may notify at the same moment.
  const locks = navigator.locks as LockManager | null | undefined
  if (!locks) {
    return isFirst(what)
  }
  return new Promise((resolve, reject) => {
    const claimed = locks.request(`${KEY}.${what}`, { ifAvailable: true }, async (lock) => {
      const isMine = lock !== null && isFirst(what)
      resolve(isMine)
      if (isMine) {
        await new Promise((spread) => setTimeout(spread, SPREADING))
      }
    })
    claimed.catch(reject)
  })
}

function isFirst(what: string): boolean {
  const notified = read()
  if (notifiedHere.has(what) || notified.includes(what)) {
    return false
  }
  notifiedHere.add(what)
  try {
    localStorage.setItem(KEY, JSON.stringify([...notified, what].slice(-KEPT)))
  } catch {
    // There is no storage, or it is full.
  }
  return true
}

function read(): unknown[] {
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(KEY) ?? '[]')
    return Array.isArray(stored) ? stored : []
  } catch {
    return []
  }
}
