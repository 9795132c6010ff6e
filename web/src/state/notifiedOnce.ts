/** So many things that were told are remembered: those that were told last. */
const KEPT = 500

const KEY = 'spiderpig.told'

/**
 * So long, in milliseconds, a tab keeps to itself that it tells something. By then all tabs read of it in the storage,
 * which browsers bring to other tabs in their own time.
 */
const SPREADING = 5000

/** What this tab has told: without storage nothing else is known. */
const notifiedHere = new Set<string>()

/**
 * Whether nobody has told of something so far. From now on it counts as told, in all tabs of this browser, also after
 * they are loaded anew.
 */
export async function isFirstNotification(what: string): Promise<boolean> {
  // Pages without https have no locks. Then two tabs may tell the same, if they do it within the same moment.
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
    // There is no storage, or no room in it.
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
