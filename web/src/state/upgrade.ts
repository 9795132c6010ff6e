import { onScopeDispose, readonly, shallowRef, type Ref } from 'vue'

import { api } from '@/api/client.ts'
import { Retry } from '@/api/retry.ts'

import type { Live } from './live.ts'

/**
 * Whether SpiderPig was upgraded since this page was loaded: then the page is outdated, and its files may be gone.
 *
 * An upgrade restarts the API, which sends a new snapshot. So the check runs only then, and when a part of the page
 * cannot be loaded. In development there is nothing to compare.
 */
export function useUpgrade(live: Pick<Live, 'onSnapshot'>): Readonly<Ref<boolean>> {
  const isUpgraded = shallowRef(false)
  const loaded = entryOf(document)
  let snapshots = 0
  const retry = new Retry(() => void look())
  if (import.meta.env.PROD) {
    live.onSnapshot(() => {
      snapshots += 1
      if (snapshots > 1) {
        void look()
      }
    })
    // A part of the page is gone, or the API cannot be reached.
    const notice = () => void look()
    window.addEventListener('vite:preloadError', notice)
    onScopeDispose(() => {
      window.removeEventListener('vite:preloadError', notice)
      retry.stop()
    })
  }

  async function look(): Promise<void> {
    try {
      const page = new DOMParser().parseFromString(await api.page(), 'text/html')
      const entry = entryOf(page)
      // A proxy's own page says nothing about SpiderPig.
      isUpgraded.value ||= entry !== null && entry !== loaded
      retry.succeeded()
    } catch (error) {
      // The banner shows that the API cannot be reached.
      retry.failed(error)
    }
  }

  return readonly(isUpgraded)
}

/** The script of a page. Its name changes with its content. */
function entryOf(page: Document): string | null {
  return page.querySelector('script[type="module"][src]')?.getAttribute('src') ?? null
}
