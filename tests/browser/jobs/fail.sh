#!/bin/sh
# Fails, as deployments do.
spiderpig-runner job status "Checking the canaries"
echo "Started check-canaries"
echo "ERROR: 3 of 11 canaries do not answer"
exit 3
