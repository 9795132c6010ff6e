import { onScopeDispose, shallowRef, watch, type Ref } from 'vue'

import { api, isAbort, type AuditFilter } from '@/api/client.ts'
import type { AuditEntry, AuditPage } from '@/api/types.ts'
import { Retry } from '@/api/retry.ts'

/** How many entries one request is for. */
export const PAGE = 50

/** The entries of the audit trail that match a filter, the newest first, as far as they are loaded. */
export interface AuditTrail {
  /** Null until they are known. */
  readonly entries: Readonly<Ref<readonly AuditEntry[] | null>>
  /** Whether there may be older ones. */
  readonly hasMore: Readonly<Ref<boolean>>
  /** Which request is under way. */
  readonly loading: Readonly<Ref<'first' | 'more' | null>>
  /** Why the last attempt failed. */
  readonly problem: Readonly<Ref<string | null>>
  /** When the request is repeated automatically: see `Retry`. */
  readonly retryAt: Readonly<Ref<number | null>>
  /** Loads the newest entries. */
  begin: () => Promise<void>
  loadMore: () => Promise<void>
}

/** Loads the entries at once, and again when the filter changes, as long as the component lives. */
export function useAuditTrail(filter: Readonly<Ref<AuditFilter>>): AuditTrail {
  const entries = shallowRef<readonly AuditEntry[] | null>(null)
  const hasMore = shallowRef(false)
  const loading = shallowRef<'first' | 'more' | null>(null)
  const retry = new Retry(() => void failed())
  let failed = begin
  let next: number | undefined
  let attempt = new AbortController()

  /** A new request replaces the previous one. */
  async function ask(what: 'first' | 'more', before: number | undefined, take: (page: AuditPage) => void) {
    attempt.abort()
    const { signal } = (attempt = new AbortController())
    loading.value = what
    try {
      const page = await api.audit(filter.value, { limit: PAGE, before, signal })
      if (!signal.aborted) {
        take(page)
        hasMore.value = page.more
        next = page.next ?? page.entries.at(-1)?.n
        retry.succeeded()
      }
    } catch (error) {
      if (!signal.aborted && !isAbort(error)) {
        failed = what === 'first' ? begin : loadMore
        retry.failed(error)
      }
    } finally {
      if (!signal.aborted) {
        loading.value = null
      }
    }
  }

  function begin(): Promise<void> {
    return ask('first', undefined, (page) => (entries.value = page.entries))
  }

  async function loadMore(): Promise<void> {
    if (loading.value === null) {
      await ask('more', next, (page) => (entries.value = [...(entries.value ?? []), ...page.entries]))
    }
  }

  watch(filter, (now, before) => {
    if (JSON.stringify(now) !== JSON.stringify(before)) {
      // The old entries match another filter.
      entries.value = null
      hasMore.value = false
      void begin()
    }
  })
  onScopeDispose(() => {
    attempt.abort()
    retry.stop()
  })
  void begin()
  return { entries, hasMore, loading, problem: retry.problem, retryAt: retry.at, begin, loadMore }
}
