import type { Invalid } from '@/api/client.ts'
import type { Param, ParamValue } from '@/api/types.ts'
import { changeNumber } from '@/changes/number.ts'

/**
 * The values of the fields of a start form, their problems, and the parameters that are sent.
 *
 * The rules are those of `src/config/value.rs`, so that most problems show before anything is sent. Where the page
 * cannot know the result, the server decides.
 */

/**
 * The value of a field: a text, a list of texts if the parameter takes many, or a switch.
 *
 * A switch is null while it stands for a hidden default.
 */
export type Draft = string | string[] | boolean | null

/** The longest single value, in bytes of UTF-8. */
const LONGEST = 64 * 1024

/** How many characters of a value a problem quotes. */
const QUOTED = 40

/** Whether the parameter has a hidden default. An empty field stands for it. */
export function hasHiddenDefault(param: Param): boolean {
  return param.sensitive && param.default !== null
}

/** The initial value of a field: the default. */
export function draftOf(param: Param): Draft {
  const value = hasHiddenDefault(param) ? null : param.default
  if (param.many) {
    return Array.isArray(value) ? value.map(String) : []
  }
  if (param.kind === 'boolean') {
    return hasHiddenDefault(param) ? null : value === true
  }
  return value === null ? '' : String(value)
}

/**
 * The initial value of a field that an address fills in: `?speed=5`, or `?change=1&change=2` for many, or
 * `?force=true`.
 *
 * Values that the field cannot show are ignored, and so are secrets, which do not belong in addresses.
 */
export function draftFromAddress(param: Param, values: readonly string[]): Draft {
  const usable = values.filter((value) => value !== '' && (param.choices?.includes(value) ?? true))
  const [first] = usable
  if (first === undefined || param.sensitive) {
    return draftOf(param)
  }
  if (param.many) {
    return usable.flatMap((value) => split(param, value))
  }
  return param.kind === 'boolean' ? first === 'true' : first
}

/**
 * Splits a typed or pasted text into the values of a parameter that takes many.
 *
 * White space and commas separate values. For texts, which may contain them, only control characters do.
 */
export function split(param: Param, text: string): string[] {
  const between = param.kind === 'string' ? /\p{Cc}+/u : /[\s,]+/
  return text.split(between).filter((value) => value !== '')
}

/** Adds values to a list. Changes are added once, as deploying one twice makes no sense. */
export function added(param: Param, values: readonly string[], more: readonly string[]): string[] {
  const all = [...values, ...more]
  return param.kind === 'gerrit-change' ? [...new Set(all)] : all
}

/** The problem of a field's value, as a sentence. Null if there is none, as far as the page can know. */
export function problemOf(param: Param, draft: Draft): string | null {
  const held = trimmed(param, draft)
  if (isEmpty(held)) {
    const isMissing = param.required && !hasHiddenDefault(param)
    return isMissing ? sentence('is required and must not be empty') : null
  }
  if (Array.isArray(held)) {
    return held.map((value) => problemInList(param, value)).find((problem) => problem !== null) ?? null
  }
  const problem = typeof held === 'string' ? violation(param, held) : null
  return problem === null ? null : sentence(problem)
}

/** The problems of a form's fields, by parameter name. */
export function problemsOf(params: readonly Param[], drafts: ReadonlyMap<string, Draft>): Map<string, string> {
  const problems = new Map<string, string>()
  for (const param of params) {
    const problem = problemOf(param, drafts.get(param.name) ?? null)
    if (problem !== null) {
      problems.set(param.name, problem)
    }
  }
  return problems
}

/**
 * The parameters to send.
 *
 * A shown default is sent as well, so that nobody gets another one that they have not seen. A parameter that is not
 * sent gets its default. So an emptied field is sent as empty, unless there is no default or the empty field stands for
 * it.
 */
export function valuesOf(params: readonly Param[], drafts: ReadonlyMap<string, Draft>): Record<string, ParamValue> {
  const values: [string, ParamValue][] = []
  for (const param of params) {
    const held = trimmed(param, drafts.get(param.name) ?? null)
    const isLeftOut = isEmpty(held) && (param.default === null || hasHiddenDefault(param))
    if (held !== null && !isLeftOut) {
      values.push([param.name, valueOf(param, held)])
    }
  }
  return Object.fromEntries(values)
}

/** The changes in the fields of a form, except for secrets, which are never looked up. */
export function changesIn(params: readonly Param[], drafts: ReadonlyMap<string, Draft>): string[] {
  return params
    .filter(({ kind, sensitive }) => kind === 'gerrit-change' && !sensitive)
    .flatMap(({ name }) => drafts.get(name) ?? [])
    .filter((draft) => typeof draft === 'string' && draft !== '')
    .map(String)
}

/** The problems that the server found: by field, and the others. */
export function serverProblemsOf(
  params: readonly Param[],
  invalid: readonly Invalid[],
): { fields: Map<string, string>; rest: string[] } {
  const fields = new Map<string, string>()
  const rest: string[] = []
  for (const { loc, msg } of invalid) {
    const param = params.find(({ name }) => loc.join('/') === `body/params/${name}`)
    if (param === undefined) {
      rest.push(msg)
    } else {
      fields.set(param.name, sentence(msg.replace(`parameter \`${param.name}\` `, '')))
    }
  }
  return { fields, rest }
}

function isEmpty(draft: Draft): boolean {
  return draft === null || (typeof draft !== 'boolean' && draft.length === 0)
}

/** Removes white space that was pasted along, where values cannot contain it. */
function trimmed(param: Param, draft: Draft): Draft {
  return typeof draft === 'string' && (param.kind === 'integer' || param.kind === 'gerrit-change')
    ? draft.trim()
    : draft
}

function valueOf(param: Param, held: Exclude<Draft, null>): ParamValue {
  if (Array.isArray(held)) {
    const values = added(param, [], held)
    return param.kind === 'integer' ? values.map(Number) : values
  }
  return param.kind === 'integer' && held !== '' ? Number(held) : held
}

function problemInList(param: Param, value: string): string | null {
  const problem = violation(param, value)
  return problem === null ? null : `${param.sensitive ? 'One of the values' : quoted(value)} ${problem}`
}

/** Which rule a single non-empty value breaks. */
function violation(param: Param, text: string): string | null {
  return (
    (param.kind === 'integer' ? numberViolation(param, text) : null) ??
    textViolation(param, text) ??
    kindViolation(param, text)
  )
}

function numberViolation({ min, max }: Param, text: string): string | null {
  const number = Number(text)
  if (!/^[+-]?\d+$/.test(text)) {
    return 'must be a whole number'
  }
  if (min !== null && number < min) {
    return `must be at least ${min}`
  }
  if (max !== null && number > max) {
    return `must be at most ${max}`
  }
  // JavaScript would send another number.
  return Number.isSafeInteger(number) ? null : 'is too large a number for this page'
}

/** The rules for all texts that become arguments. */
function textViolation({ allow_dash }: Param, text: string): string | null {
  if (new TextEncoder().encode(text).length > LONGEST) {
    return `must be at most ${LONGEST} bytes long`
  }
  if (/\p{Cc}/u.test(text)) {
    return 'must not contain control characters such as line ends or tabs'
  }
  return text.startsWith('-') && !allow_dash ? 'must not begin with `-`' : null
}

function kindViolation({ kind, pattern, choices, gerritUrl }: Param, text: string): string | null {
  switch (kind) {
    case 'string':
      return pattern === null || mayMatch(pattern, text) ? null : `must match the pattern \`${pattern}\``
    case 'choice':
      return choices?.includes(text) ? null : `must be one of ${choices?.join(', ')}`
    case 'gerrit-change':
      return isChange(gerritUrl, text) ? null : `must be the number of a Gerrit change or its ${addressesAt(gerritUrl)}`
    default:
      return null
  }
}

/**
 * Whether a text may match a pattern, which is a regular expression of Rust.
 *
 * The server decides where JavaScript differs: for expressions that JavaScript refuses, set operations, and texts
 * beyond ASCII, where `\w` and the like match more in Rust.
 */
function mayMatch(pattern: string, text: string): boolean {
  // eslint-disable-next-line no-control-regex -- ASCII has them.
  if (/&&|--|~~/.test(pattern) || !/^[\x00-\x7f]*$/.test(text)) {
    return true
  }
  try {
    return new RegExp(`^(?:${pattern})$`, 'u').test(text)
  } catch {
    return true
  }
}

/** Without a known Gerrit, any address may be a change. */
function isChange(gerritUrl: string | null, text: string): boolean {
  const isAnyAddress = () => /^https?:\/\/([^/?#@\s]*@)?[^/?#@:\s][^/?#@\s]*([/?#]\S*)?$/i.test(text)
  return changeNumber(gerritUrl, text) !== null || (gerritUrl === null && isAnyAddress())
}

function addressesAt(gerritUrl: string | null): string {
  return gerritUrl === null ? 'http(s) address' : `address at ${gerritUrl}`
}

function sentence(problem: string): string {
  return `This ${problem}`
}

function quoted(value: string): string {
  return `“${value.length > QUOTED ? `${value.slice(0, QUOTED)}…` : value}”`
}
