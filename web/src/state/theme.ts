import { watchEffect } from 'vue'

import { isOneOf, preference } from './preference.ts'

export const THEMES = ['system', 'light', 'dark'] as const
export type Theme = (typeof THEMES)[number]

/** The theme: light, dark, or that of the system. */
export const theme = preference<Theme>('theme', 'system', isOneOf(THEMES))

/** Applies the chosen theme, from now on. */
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
