#!/bin/sh
# Prints a line in which quotation marks were decoded wrongly.
printf 'Deploying \303\242\302\200\302\234core\303\242\302\200\302\235 failed: host mw1 is down\n'
