#!/bin/sh
# A job for SpiderPig as a shell script: it asks, reports what it is doing, and logs. Started as `hello.sh TIMES`.
#
# `spiderpig-runner` must be in the PATH of the runner, which jobs inherit. Run by hand the script works too: the
# helpers then talk to the terminal.
set -eu

times=$1

# The answers are in standard output, so `$(…)` takes them. A helper that gets no answer fails, and `set -e` ends the job.
name=$(spiderpig-runner job ask 'Who is to be greeted?')
tone=$(spiderpig-runner job choose 'How?' --choice 'Politely=p' --choice 'Loudly=l' --default p)

case $tone in
p) greeting="Good day, $name." ;;
l) greeting="HELLO, $name!" ;;
esac

# A line that people see only if they ask for it. Secrets belong in no other output.
spiderpig-runner job line --sensitive "The secret of the greeting is $(od -An -N4 -tx4 /dev/urandom | tr -d ' ')."

spiderpig-runner job status "Greeting $name"
done=0
while [ "$done" -lt "$times" ]; do
	# Ordinary output needs no helper.
	echo "$greeting"
	done=$((done + 1))
	spiderpig-runner job progress Greetings "$done" "$times"
done
