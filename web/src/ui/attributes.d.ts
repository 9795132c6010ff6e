import type { AriaAttributes, InputHTMLAttributes } from 'vue'

declare module 'vue' {
  /**
   * Attributes that components pass on to their element without declaring them, as Codex's do.
   *
   * The list is closed, so that the compiler still finds misspelt properties. The types are wide, as a component may
   * have a property of the same name with a narrower type.
   */
  interface AllowedComponentProps
    extends
      AriaAttributes,
      Pick<InputHTMLAttributes, 'disabled' | 'inputmode' | 'list' | 'readonly' | 'required' | 'spellcheck'> {
    autocapitalize?: string
    autocomplete?: string
    id?: string
    maxlength?: number | string
    name?: string
    placeholder?: string
    role?: string
    tabindex?: number | string
    title?: string
    type?: string
  }
}
