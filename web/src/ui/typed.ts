import { onScopeDispose, reactive, watch, type Ref } from 'vue'

/** After the last letter, in milliseconds. */
const PAUSE = 300

/** What people type into the fields of a filter. It counts a moment after the last letter, or with any other change. */
export function useTyped<F extends object, N extends string & keyof F>(
  filter: Ref<F & Record<N, string>>,
  names: readonly N[],
): { typed: Record<N, string>; type: () => void; change: (part: Partial<F>) => void } {
  const valuesOf = (get: (name: N) => string) => Object.fromEntries(names.map((name) => [name, get(name)]))
  const typed = reactive(valuesOf((name) => filter.value[name])) as Record<N, string>
  let timer: ReturnType<typeof setTimeout> | undefined

  // The address may change without the fields: back, forward, a link.
  watch(filter, (now, before) => {
    for (const name of names.filter((name) => now[name] !== before[name])) {
      typed[name] = now[name]
    }
  })
  onScopeDispose(() => clearTimeout(timer))

  function type(): void {
    clearTimeout(timer)
    timer = setTimeout(() => change({}), PAUSE)
  }

  /** Changes a part, and takes along what is typed. */
  function change(part: Partial<F>): void {
    clearTimeout(timer)
    filter.value = { ...filter.value, ...valuesOf((name) => typed[name].trim()), ...part }
  }

  return { typed, type, change }
}
