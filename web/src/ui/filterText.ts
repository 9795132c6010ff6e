import { onScopeDispose, reactive, watch, type Ref } from 'vue'

/**
 * The texts in the fields of a filter, as people type them. The filter takes them, without blanks around them, `delay`
 * milliseconds after the last letter, or with any other change.
 */
export function useFilterText<F extends object, N extends string & keyof F>(
  filter: Ref<F & Record<N, string>>,
  names: readonly N[],
  delay: number,
): { typed: Record<N, string>; type: (name: N, text: string) => void; change: (part: Partial<F>) => void } {
  const valuesOf = (get: (name: N) => string) => Object.fromEntries(names.map((name) => [name, get(name)]))
  const typed = reactive(valuesOf((name) => filter.value[name])) as Record<N, string>
  let timer: ReturnType<typeof setTimeout> | undefined

  // The address may change without the fields: back, forward, a link.
  watch(filter, (now, before) => {
    for (const name of names.filter((name) => now[name] !== before[name] && now[name] !== typed[name].trim())) {
      typed[name] = now[name]
    }
  })
  onScopeDispose(() => clearTimeout(timer))

  function type(name: N, text: string): void {
    typed[name] = text
    clearTimeout(timer)
    if (delay === 0) {
      change({})
    } else {
      timer = setTimeout(() => change({}), delay)
    }
  }

  /** Changes a part of the filter, and takes over the typed texts. */
  function change(part: Partial<F>): void {
    clearTimeout(timer)
    filter.value = { ...filter.value, ...valuesOf((name) => typed[name].trim()), ...part }
  }

  return { typed, type, change }
}
