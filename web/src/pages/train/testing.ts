import type { TrainStatus } from '@/api/types.ts'

import type { MovableStatus } from './plan.ts'

export const NEW = '1.46.0-wmf.3'
export const OLD = '1.46.0-wmf.2'

/** For tests: a train at group0, except for `left` wikis and for what is different. */
export function aStatus(different: Partial<TrainStatus> = {}, left: string[] = []): MovableStatus {
  const lists = { testwikis: ['a'], group0: ['a', 'b', 'c'], group1: ['d', 'e'], group2: ['f'] }
  const version = (wiki: string) => ('abc'.includes(wiki) && !left.includes(wiki) ? NEW : OLD)
  const groups = Object.entries(lists).map(([name, wikis]) => ({
    name,
    versions: [...new Set(wikis.map(version))],
    wikis,
    hasRolled: name === 'testwikis' || name === 'group0',
  }))
  return {
    groups,
    version: NEW,
    atGroup: 'group0',
    wikiVersions: Object.fromEntries(['a', 'b', 'c', 'd', 'e', 'f'].map((wiki) => [wiki, version(wiki)])),
    wikiCount: 6,
    task: 'T1',
    taskUrl: 'https://phabricator.example/T1',
    taskStatus: 'open',
    taskReleaseDate: '2026-11-23',
    taskVersion: NEW,
    warnings: [],
    time: 1000,
    ...different,
    oldVersion: different.oldVersion ?? OLD,
  }
}
