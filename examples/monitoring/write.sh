#!/bin/sh
# Writes a file of a spool's monitoring/ with what a command prints. Started as `write.sh SPOOL NAME COMMAND…`:
#
#     write.sh /var/spool/spiderpig mediawiki mediawiki-errors --window 10m
#
# The file gets its name by one rename, so nobody ever reads a half of it. If the command fails, or prints something
# else than a document of format 1, the earlier file stays, and this script fails too.
set -eu

if [ "$#" -lt 3 ]; then
	echo "usage: $0 SPOOL NAME COMMAND…" >&2
	exit 2
fi
spool=$1
name=$2
shift 2

# On the filesystem of monitoring/, out of everybody's sight. The runner removes what a killed writer leaves here.
draft=$(mktemp -p "$spool/incoming")
trap 'rm -f "$draft"' EXIT

"$@" >"$draft"
if ! jq --slurp --exit-status 'length == 1 and .[0].format == 1' "$draft" >/dev/null; then
	echo "$1 printed no document of format 1; $name.json stays as it was" >&2
	exit 1
fi
chmod 0640 "$draft" # mktemp lets only its owner read
sync "$draft"
mv -T "$draft" "$spool/monitoring/$name.json"
