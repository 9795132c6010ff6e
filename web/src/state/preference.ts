import { customRef, type Ref } from 'vue'

/**
 * A choice of the user, stored in this browser and shared by all its tabs.
 *
 * The stored value can be anything, as users can edit it: `accepts` says whether it is valid. Without storage, which a
 * browser may refuse, the choice lasts as long as the page.
 */
export function preference<T>(name: string, standard: T, accepts: (stored: unknown) => stored is T): Ref<T> {
  const key = `spiderpig.${name}`
  return customRef((track, trigger) => {
    let value = read(key, standard, accepts)
    window.addEventListener('storage', (event) => {
      if (event.key === key || event.key === null) {
        value = read(key, standard, accepts)
        trigger()
      }
    })
    return {
      get() {
        track()
        return value
      },
      set(chosen) {
        value = chosen
        trigger()
        try {
          localStorage.setItem(key, JSON.stringify(chosen))
        } catch {
          // There is no storage, or it is full.
        }
      },
    }
  })
}

function read<T>(key: string, standard: T, accepts: (stored: unknown) => stored is T): T {
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(key) ?? 'null')
    return accepts(stored) ? stored : standard
  } catch {
    return standard
  }
}

export const isBoolean = (stored: unknown): stored is boolean => typeof stored === 'boolean'

/** Accepts one of a few words. */
export function isOneOf<T extends string>(words: readonly T[]): (stored: unknown) => stored is T {
  return (stored): stored is T => (words as readonly unknown[]).includes(stored)
}
