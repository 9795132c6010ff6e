#!/bin/sh
# Pretends to restart a service. One of them does not come back.
set -eu
echo "Restarting $1"
[ "$1" != cxserver ] || {
	echo "ERROR: $1 does not answer"
	exit 3
}
