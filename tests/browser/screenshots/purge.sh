#!/bin/sh
# Pretends to purge pages from the caches.
set -eu
pages=$1
spiderpig-runner job status "Purging pages"
done=0
while [ "$done" -lt "$pages" ]; do
	done=$((done + 1))
	echo "Purged https://en.wikipedia.org/wiki/Special:PermanentLink/$((1200000000 + done * 7919))"
	[ $((done % 5)) -ne 0 ] || spiderpig-runner job progress "Pages" "$done" "$pages"
	sleep 0.05
done
