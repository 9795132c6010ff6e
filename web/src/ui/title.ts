import { onScopeDispose, ref, toValue, watchEffect, type MaybeRefOrGetter } from 'vue'

/** What is put before the title of whatever page is shown: that somebody is asked something. */
export const titlePrefix = ref('')

/** Names the page in the browser's tab, for as long as its component lives. */
export function usePageTitle(title: MaybeRefOrGetter<string>): void {
  watchEffect(() => {
    document.title = `${titlePrefix.value}${toValue(title)} · SpiderPig`
  })
  onScopeDispose(() => (document.title = 'SpiderPig'))
}
