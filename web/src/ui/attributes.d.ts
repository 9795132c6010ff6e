import type { AriaAttributes, InputHTMLAttributes } from 'vue'

declare module 'vue' {
  /**
   * Attributes that components do not declare but pass on to their element, as Codex's do.
   *
   * Only these: the compiler still finds a misspelt property. The types are wide, as a component may have a property
   * of the same name with a narrower one.
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
