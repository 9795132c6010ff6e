/** A value that can be chosen, and its label. */
export interface Choice {
  value: string
  label: string
}

/** The names of those members of a filter that are texts. */
export type TextName<F> = string & { [N in keyof F]-?: F[N] extends string ? N : never }[keyof F]

/** A field of a filter form. An empty text means any. */
export type FilterField<F> =
  /** A short text, with suggestions where there are some. */
  | { kind: 'text'; name: TextName<F>; label: string; suggestions?: readonly string[] }
  /** The text that is searched for. It has more room, and gets the focus when the filters are cleared. */
  | { kind: 'search'; name: TextName<F>; label: string }
  /** One of several values, or any. A value that is not among the choices, as an address may have one, is added. */
  | { kind: 'select'; name: TextName<F>; label: string; choices: readonly Choice[] }
  /** The order of the list. It does not filter, and stays when the filters are cleared. */
  | { kind: 'order'; name: TextName<F>; label: string; choices: readonly Choice[] }
  /** Several values at once, as buttons. `choose` says how the filter changes with them. */
  | {
      kind: 'toggles'
      label: string
      choices: readonly Choice[]
      chosen: readonly string[]
      choose: (chosen: readonly string[]) => Partial<F>
    }
