import { resolve } from 'node:path'

const HERE = import.meta.dirname
const EXAMPLES = resolve(HERE, '../../../examples')

/** What could be in a configuration. Only the backport, a replay, is more than a gesture. */
export const JOB_TYPES = `
[lanes.mediawiki]

[lanes.caches]
concurrency = 2

[job_types.backport]
title = "MediaWiki backport"
help = "Deploys changes to all wikis: to the testservers first, then everywhere."
lane = "mediawiki"
outcomes = ["scap"]
command = ["${EXAMPLES}/backport/backport.py", ["--speed", "{speed}"], "{change_url}"]

[[job_types.backport.params]]
name = "change_url"
title = "Changes"
help = "Numbers or addresses of changes in Gerrit."
kind = "gerrit-change"
many = true
required = true

[[job_types.backport.params]]
name = "speed"
title = "Speed"
help = "How many times as fast as it was recorded."
kind = "integer"
min = 1
max = 100000
default = 40

[job_types.purge]
title = "Purge caches"
lane = "caches"
command = ["${HERE}/purge.sh", "{pages}"]
params = [{ name = "pages", title = "Pages", kind = "integer", default = 100, required = true }]

[job_types.restart]
title = "Restart a service"
lane = "mediawiki"
command = ["${HERE}/restart.sh", "{service}"]
params = [{ name = "service", title = "Service", kind = "string", required = true }]
`

/** The train, where there is one. */
export const TRAIN = `
[job_types.train]
title = "MediaWiki train"
lane = "mediawiki"
outcomes = ["scap"]
command = ["${EXAMPLES}/train/train.py", "--status", "@DIRECTORY@/spool/monitoring/train.json", "{group}", "{version}"]
params = [
  { name = "group", kind = "choice", choices = ["testwikis", "group0", "group1", "group2", "all"], required = true },
  { name = "version", kind = "string", required = true },
]
`
