#!/bin/sh
# Prints nothing until the file $1 is there, and then asks.
echo "I am quiet until $1 is there"
until [ -e "$1" ]; do
	sleep 0.1
done
echo "I am awake"
answer=$(spiderpig-runner job choose "Is that all?" --choice Yes=y --choice No=n)
echo "The answer was $answer"
