import type { TrainGroup, TrainStatus } from '@/api/types.ts'

/** The state of a group. `part`: some of its wikis run the version. */
export type GroupState = 'done' | 'part' | 'next' | 'later'

/** How many wikis run a version. */
export interface VersionCount {
  version: string
  wikis: number
}

/** After so many seconds a status is old: it should be reported more often. */
export const STALE = 3600

/** The version of a wiki that the status does not name. */
export const UNKNOWN = 'an unknown version'

export function versionOf({ wikiVersions }: TrainStatus, wiki: string): string {
  return Object.hasOwn(wikiVersions, wiki) ? (wikiVersions[wiki] ?? UNKNOWN) : UNKNOWN
}

export function isNew(status: TrainStatus, wiki: string): boolean {
  return versionOf(status, wiki) === status.version
}

/** The wikis of a group that are in no earlier group. */
export function wikisOf({ groups }: TrainStatus, place: number): string[] {
  const before = new Set(groups.slice(0, place).flatMap(({ wikis }) => wikis))
  return [...new Set(groups[place]?.wikis)].filter((wiki) => !before.has(wiki))
}

/** All wikis, in groups or not. */
export function allWikis({ groups, wikiVersions }: TrainStatus): string[] {
  return [...new Set([...groups.flatMap(({ wikis }) => wikis), ...Object.keys(wikiVersions)])]
}

/** How many of these wikis run each version: the new one first, then the old one, then others. */
export function countVersions(status: TrainStatus, wikis: readonly string[]): VersionCount[] {
  const counts = new Map<string, number>()
  for (const wiki of wikis) {
    const version = versionOf(status, wiki)
    counts.set(version, (counts.get(version) ?? 0) + 1)
  }
  const known = [status.version, status.oldVersion ?? UNKNOWN]
  const others = [...counts.keys()].filter((version) => !known.includes(version)).sort()
  return [...new Set([...known, ...others])].flatMap((version) => {
    const wikis = counts.get(version)
    return wikis === undefined ? [] : { version, wikis }
  })
}

export function stateOf(status: TrainStatus, place: number): GroupState {
  const wikis = wikisOf(status, place)
  if (wikis.every((wiki) => isNew(status, wiki))) {
    return status.groups[place]?.hasRolled || wikis.length > 0 ? 'done' : 'later'
  }
  if (wikis.some((wiki) => isNew(status, wiki))) {
    return 'part'
  }
  return place === nextPlace(status) ? 'next' : 'later'
}

/** The index of the first group without the version; -1 if all groups have it. */
export function nextPlace(status: TrainStatus): number {
  return status.groups.findIndex((_, place) => {
    const wikis = wikisOf(status, place)
    return wikis.length > 0 && !wikis.some((wiki) => isNew(status, wiki))
  })
}

/** Whether two statuses are equal, apart from their times. */
export function isSame(one: TrainStatus, other: TrainStatus): boolean {
  const words = ({ groups, version, oldVersion, wikiVersions }: TrainStatus) =>
    JSON.stringify([groups.map(({ name, wikis }) => [name, wikis]), version, oldVersion, Object.entries(wikiVersions)])
  return words(one) === words(other)
}

/**
 * The status that the user saw when they started a train job, from the data of the job. The data can be anything. Null
 * if it is not a status.
 */
export function statusIn(data: unknown): TrainStatus | null {
  if (!isObject(data) || !isText(data.version) || !Array.isArray(data.groups) || !data.groups.every(isGroup)) {
    return null
  }
  const wikiVersions = isObject(data.wikiVersions) ? data.wikiVersions : {}
  if (!Object.values(wikiVersions).every(isText)) {
    return null
  }
  return {
    groups: data.groups,
    version: data.version,
    oldVersion: textOrNull(data.oldVersion),
    atGroup: textOrNull(data.atGroup),
    wikiVersions: wikiVersions as Record<string, string>,
    wikiCount: typeof data.wikiCount === 'number' ? data.wikiCount : Object.keys(wikiVersions).length,
    task: textOrNull(data.task),
    taskUrl: textOrNull(data.taskUrl),
    taskStatus: textOrNull(data.taskStatus),
    taskReleaseDate: textOrNull(data.taskReleaseDate),
    taskVersion: textOrNull(data.taskVersion),
    warnings: Array.isArray(data.warnings) ? data.warnings.filter(isText) : [],
    time: typeof data.time === 'number' ? data.time : null,
  }
}

function isGroup(value: unknown): value is TrainGroup {
  return isObject(value) && isText(value.name) && Array.isArray(value.wikis) && value.wikis.every(isText)
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isText(value: unknown): value is string {
  return typeof value === 'string'
}

function textOrNull(value: unknown): string | null {
  return isText(value) ? value : null
}
