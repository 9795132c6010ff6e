/** Longer ones are not ours. */
const LONGEST = 2000

/** Nobody can be there: these are the characters that an address drops, or that end a line. */
// eslint-disable-next-line no-control-regex
const UNSEEN = /[\u0000-\u0020\u007f-\u00a0\u2028\u2029\ufeff]/u

/** Nobody wants to be led back to where one signs in or out. */
const ENTRY_PATHS = new Set(['/login', '/logout', '/second-factor', '/notauthorized'])

/**
 * Where to go after signing in, as an address asks for it: a path of this page with its query, and never anything else.
 * What is no such path is `/`.
 *
 * Whatever a browser, a router or a proxy makes of it, it stays here: so it is looked at as it stands, as it reads when
 * it is decoded (more than once), and as it is after `.` and `..` are gone.
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

/** The path that an address names: `redirect` is what the first SpiderPig called it. */
export function nextOf(query: Record<string, unknown>): string {
  return ownPath(query.next ?? query.redirect)
}

/** A place that nobody else can be at. */
const HERE = 'https://here.invalid'

function isPath(path: string): boolean {
  return /^\/(?![/\\])/u.test(path) && !path.includes('\\') && !UNSEEN.test(path.replaceAll(' ', ''))
}

/** How a path reads as it stands, and each time that it is decoded once more. Nonsense reads as nothing. */
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

/** The address of another site, such as that of the single sign-on. Null: there is none, or it is no address of the web. */
export function otherSite(address: string): string | null {
  const url = URL.canParse(address) ? new URL(address) : null
  return url !== null && /^https?:$/u.test(url.protocol) ? url.href : null
}
