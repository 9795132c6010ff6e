#!/bin/sh
# Runs until it is stopped.
echo "I run until I am stopped"
exec sleep infinity
