import { onScopeDispose, readonly, shallowRef, type Ref } from 'vue'

import { api } from '@/api/client.ts'
import { Retry } from '@/api/retry.ts'

import type { Live } from './live.ts'

/**
 * Whether SpiderPig was upgraded since this page was loaded: then the page is an old one, and its files may be gone.
 *
 * An upgrade restarts the API, and then everything is told anew: so it is looked only then, and when a part of the page
 * cannot be loaded. While the page is being worked on there is nothing to compare.
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
    // A part of the page that was to be loaded now is gone, or nobody can be reached.
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
      // A proxy's page says nothing about ours.
      isUpgraded.value ||= entry !== null && entry !== loaded
      retry.succeeded()
    } catch (error) {
      // Whoever cannot be reached is seen elsewhere.
      retry.failed(error)
    }
  }

  return readonly(isUpgraded)
}

/** The program of a page: its name changes with what is in it. */
function entryOf(page: Document): string | null {
  return page.querySelector('script[type="module"][src]')?.getAttribute('src') ?? null
}
