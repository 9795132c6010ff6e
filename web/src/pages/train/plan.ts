import type { TrainMove, TrainStatus } from '@/api/types.ts'

import { allWikis, isNew, versionOf, wikisOf } from './status.ts'

/** A status that names the old version, so that a rollback has a target. */
export type MovableStatus = TrainStatus & { oldVersion: string }

/**
 * A move: to promote a group to the version, or to roll it back. It affects the other groups, too, because the train
 * has one position: the groups up to it run the version, and the others run the old one.
 */
export interface GroupMove {
  kind: 'promote' | 'roll back'
  /** The index of the group. */
  place: number
}

/** Wikis that get another version. */
export interface Change {
  from: string
  to: string
  wikis: string[]
}

/** The effect of a move. */
export interface Plan {
  move: TrainMove
  /** The changed wikis, the largest set first. */
  changes: Change[]
  /** How many wikis get another version. */
  count: number
  /** The groups that will run the version, and the others. */
  upTo: string[]
  rest: string[]
}

/** The name of all groups in a request. */
const ALL = 'all'

/** The wikis that can be excluded: those that the move would promote. */
export function excludable(status: TrainStatus, { kind, place }: GroupMove): string[] {
  return kind === 'promote' ? lackingUpTo(status, place) : []
}

/** Wikis that were not promoted with their group, for some reason. They are excluded unless the user includes them. */
export function skippedWikis(status: TrainStatus, { place }: GroupMove): string[] {
  const had = (at: number) => wikisOf(status, at).some((wiki) => isNew(status, wiki))
  return status.groups
    .slice(0, place)
    .flatMap((_, at) => (had(at) ? lacking(status, at) : []))
    .sort()
}

function lackingUpTo(status: TrainStatus, place: number): string[] {
  return status.groups
    .slice(0, place + 1)
    .flatMap((_, at) => lacking(status, at))
    .sort()
}

/** The wikis of a group that do not run the version. */
function lacking(status: TrainStatus, place: number): string[] {
  return wikisOf(status, place).filter((wiki) => !isNew(status, wiki))
}

export function planOf(status: MovableStatus, groupMove: GroupMove, excluded: ReadonlySet<string>): Plan {
  const { groups, version, oldVersion } = status
  const at = groupMove.kind === 'promote' ? groupMove.place : groupMove.place - 1
  const covered = groups.slice(0, at + 1)
  // A rollback promotes no wiki.
  const kept = groupMove.kind === 'promote' ? excluded : new Set(lackingUpTo(status, at))
  const target = new Set(covered.flatMap(({ wikis }) => wikis).filter((wiki) => !kept.has(wiki)))
  const changes = changesOf(status, (wiki) => (target.has(wiki) ? version : oldVersion))
  const last = covered.at(-1)
  return {
    move:
      last === undefined
        ? { group: ALL, version: oldVersion, oldVersion, excludedWikis: [] }
        : { group: last.name, version, oldVersion, excludedWikis: [...kept].sort() },
    changes,
    count: changes.reduce((sum, { wikis }) => sum + wikis.length, 0),
    upTo: covered.map(({ name }) => name),
    rest: groups.slice(at + 1).map(({ name }) => name),
  }
}

function changesOf(status: TrainStatus, target: (wiki: string) => string): Change[] {
  const changes = new Map<string, Change>()
  for (const wiki of allWikis(status).sort()) {
    const [from, to] = [versionOf(status, wiki), target(wiki)]
    if (from !== to) {
      const key = `${from} ${to}`
      const change = changes.get(key) ?? { from, to, wikis: [] }
      change.wikis.push(wiki)
      changes.set(key, change)
    }
  }
  return [...changes.values()].sort((a, b) => b.wikis.length - a.wikis.length)
}

/** `1 wiki`, `1,234 wikis`. */
export function wikisInWords(count: number): string {
  return `${count.toLocaleString('en')} ${count === 1 ? 'wiki' : 'wikis'}`
}

/** `a`, `a and b`, `a, b and c`. */
export function listInWords(words: readonly string[]): string {
  const last = words.at(-1) ?? ''
  return words.length < 2 ? last : `${words.slice(0, -1).join(', ')} and ${last}`
}

/** Whether the train is where a job with this data should have moved it. The data can be anything. */
export function isReached(status: TrainStatus, { group, version, excludedWikis }: Record<string, unknown>): boolean {
  const place = status.groups.findIndex(({ name }) => name === group)
  const excluded = new Set(Array.isArray(excludedWikis) ? excludedWikis : [])
  const upTo = group === ALL ? allWikis(status) : status.groups.slice(0, place + 1).flatMap(({ wikis }) => wikis)
  const target = new Set(upTo.filter((wiki) => !excluded.has(wiki)))
  const isKnown = group === ALL || place >= 0
  return isKnown && allWikis(status).every((wiki) => (versionOf(status, wiki) === version) === target.has(wiki))
}

/** What a job with this data moves: `the wikis up to group1 to 1.46.0-wmf.3`. The data can be anything. */
export function taskInWords({ group, version, excludedWikis }: Record<string, unknown>): string {
  const whom = group === ALL ? 'all wikis' : `the wikis up to ${String(group)}`
  const count = Array.isArray(excludedWikis) ? excludedWikis.length : 0
  return `${whom} to ${String(version)}${count === 0 ? '' : `, but for ${wikisInWords(count)}`}`
}
