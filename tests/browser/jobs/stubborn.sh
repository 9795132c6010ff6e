#!/bin/sh
# Goes on when it is interrupted.
trap 'echo "Interrupted, and I do not mind"' INT
echo "I do not mind being interrupted"
while :; do
	sleep infinity || :
done
