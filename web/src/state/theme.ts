import { watchEffect } from 'vue'

import { isOneOf, preference } from './preference.ts'

export const THEMES = ['system', 'light', 'dark'] as const
export type Theme = (typeof THEMES)[number]

/** Whether the page is light or dark, or as the system is. */
export const theme = preference<Theme>('theme', 'system', isOneOf(THEMES))

/** Makes the page look as it was chosen, from now on. */
export function applyTheme(): void {
  watchEffect(() => {
    const { dataset } = document.documentElement
    if (theme.value === 'system') {
      delete dataset.theme
    } else {
      dataset.theme = theme.value
    }
  })
}
