#!/bin/sh
# Runs until it is stopped.
spiderpig-runner job status "Taking its time"
spiderpig-runner job progress Steps 3 10
echo "I run until I am stopped"
exec sleep infinity
