import { onScopeDispose, ref, toValue, watchEffect, type MaybeRefOrGetter } from 'vue'

/** The prefix of all page titles: the number of open questions. */
export const titlePrefix = ref('')

/** Sets the title of the browser's tab, as long as the component lives. */
export function usePageTitle(title: MaybeRefOrGetter<string>): void {
  watchEffect(() => {
    document.title = `${titlePrefix.value}${toValue(title)} · SpiderPig`
  })
  onScopeDispose(() => (document.title = 'SpiderPig'))
}
