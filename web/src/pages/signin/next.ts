/** The longest path that is accepted. */
const LONGEST = 2000

/** Characters that browsers drop from addresses, or that end a line. No path of ours has them. */
// eslint-disable-next-line no-control-regex
const UNSEEN = /[\u0000-\u0020\u007f-\u00a0\u2028\u2029\ufeff]/u

/** Pages that sign-in never returns to. */
const ENTRY_PATHS = new Set(['/login', '/logout', '/second-factor', '/notauthorized'])

/**
 * The path to return to after sign-in, from an address: a path of this page with its query, and `/` for anything else.
 *
 * The path must stay on this site, whatever a browser, a router or a proxy does with it. So it is checked as it is,
 * decoded (more than once), and after `.` and `..` are resolved.
 */
export function ownPath(given: unknown): string {
  if (typeof given !== 'string' || given.length > LONGEST || UNSEEN.test(given) || !URL.canParse(given, HERE)) {
    return '/'
  }
  const { origin, pathname } = new URL(given, HERE)
  const [path = ''] = given.split(/[?#]/, 1)
  const isOurs = origin === HERE && readingsOf(path).every(isPath) && readingsOf(pathname).every(isPath)
  return isOurs && !ENTRY_PATHS.has(pathname) ? given : '/'
}

/** The path to return to from a query. The first SpiderPig called it `redirect`. */
export function nextOf(query: Record<string, unknown>): string {
  return ownPath(query.next ?? query.redirect)
}

/** An origin that cannot exist. */
const HERE = 'https://here.invalid'

function isPath(path: string): boolean {
  return /^\/(?![/\\])/u.test(path) && !path.includes('\\') && !UNSEEN.test(path.replaceAll(' ', ''))
}

/** A path as it is, and after each further decoding. An invalid encoding reads as an empty text. */
function readingsOf(path: string): string[] {
  const readings = [path]
  for (let rest = path; /%/u.test(rest) && readings.length < 6;) {
    try {
      rest = decodeURIComponent(rest)
    } catch {
      rest = ''
    }
    readings.push(rest)
  }
  return readings
}

/** The address of another site, such as the single sign-on. Null if it is not an http(s) address. */
export function otherSite(address: string): string | null {
  const url = URL.canParse(address) ? new URL(address) : null
  return url !== null && /^https?:$/u.test(url.protocol) ? url.href : null
}
