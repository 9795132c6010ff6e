import type { Change, ChangeInfo, Finding, Lookup, Preflight } from '@/api/types.ts'

const GERRIT = 'https://gerrit.example.org/r/'

/** For tests: an open change, except for what is different. */
export function aChange(different: Partial<Change> = {}): Change {
  const { number = 42 } = different
  return {
    number,
    project: 'mediawiki/core',
    branch: 'master',
    subject: `Subject of ${number}`,
    status: 'NEW',
    owner: 'Ada',
    url: `${GERRIT}c/${number}`,
    repoQueryUrl: `${GERRIT}q/project%3Amediawiki%2Fcore`,
    branchQueryUrl: `${GERRIT}q/branch%3Amaster`,
    ...different,
  }
}

/** For tests: a change in the data of a job. */
export function aChangeInfo(different: Partial<ChangeInfo> = {}): ChangeInfo {
  const { number, project, branch, subject, url, repoQueryUrl, branchQueryUrl } = aChange(different)
  const info = { number, project, branch, subject, url, repoQueryUrl, branchQueryUrl }
  return { ...info, commit_msg: subject, linkifiedCommitMsg: [subject], ...different }
}

/** For tests: the lookups of inputs that end with the number of a change. */
export function found(inputs: string[]): Lookup[] {
  return inputs.map((input) => ({ input, change: aChange({ number: Number(/\d+$/.exec(input)?.[0]) }), problem: null }))
}

export function aFinding(different: Partial<Finding> = {}): Finding {
  return { code: 'abandoned', message: 'It is abandoned.', change: null, url: null, job: null, ...different }
}

/** For tests: a check of changes, all of which have these blockers and warnings. */
export function preflight(inputs: string[], blockers: Finding[] = [], warnings: Finding[] = []): Preflight {
  const changes = found(inputs).map(({ input, change }) => ({ input, change, blockers, warnings }))
  return { ready: blockers.length === 0, problem: null, changes }
}
