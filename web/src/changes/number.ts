/**
 * Numbers of changes in what people enter: the number itself, or an address of the change in Gerrit. The rules are
 * those of `src/config/gerrit.rs`.
 */

/** The number of the change that a text names, as a number or as an address at this Gerrit. Null for other texts. */
export function changeNumber(gerritUrl: string | null, text: string): number | null {
  return numberIn(text) ?? (gerritUrl === null ? null : numberInAddress(gerritUrl, text))
}

/** Digits: up to nine of them, without leading zeros. */
function numberIn(text: string | undefined): number | null {
  return text !== undefined && /^[1-9]\d{0,8}$/.test(text) ? Number(text) : null
}

/**
 * `R/N`, `R/c/N`, `R/c/PROJECT/+/N` and `R/#/c/N`, where `R` is the address of the Gerrit, or its host alone. Patch set,
 * file and query may follow. Both schemes are the same, as one leads to the other.
 */
function numberInAddress(gerritUrl: string, text: string): number | null {
  const [ours, theirs] = [addressOf(gerritUrl), addressOf(text)]
  if (ours === null || theirs === null || ours.host !== theirs.host) {
    return null
  }
  const [before, fragment = ''] = cut(theirs.path, '#')
  const [path] = cut(before, '?')
  const below = (root: string) => {
    const prefix = root.replace(/\/+$/, '')
    if (!path.startsWith(prefix)) {
      return null
    }
    const rest = path.slice(prefix.length)
    // Older versions of Gerrit put the path behind a `#`.
    return numberInPath(rest === '' || rest === '/' ? fragment : rest)
  }
  return below(ours.path) ?? below('/')
}

/** `/N…`, `/c/N…` or `/c/PROJECT/+/N…`. */
function numberInPath(path: string): number | null {
  const [root, first, ...segments] = path.split('/')
  if (root !== '') {
    return null
  }
  if (first !== 'c') {
    return numberIn(first)
  }
  const plus = segments.findIndex((segment) => ['+', '%2B', '%2b'].includes(segment))
  return numberIn(segments[plus + 1])
}

/** The host with its port, and the rest of the address. */
function addressOf(text: string): { host: string; path: string } | null {
  const [, scheme = '', authority = '', path = ''] = /^(https?):\/\/([^/?#]*)(\S*)$/i.exec(text) ?? []
  if (scheme === '' || /\p{Cc}/u.test(text)) {
    return null
  }
  const defaultPort = scheme.toLowerCase() === 'http' ? ':80' : ':443'
  const host = authority.endsWith(defaultPort) ? authority.slice(0, -defaultPort.length) : authority
  return /\s/.test(host) ? null : { host: host.toLowerCase(), path }
}

function cut(text: string, at: string): [string, string?] {
  const place = text.indexOf(at)
  return place < 0 ? [text] : [text.slice(0, place), text.slice(place + 1)]
}
