#!/bin/sh
# Deploys a release of a service to some hosts, and takes it back if a host does not get well or somebody says so.
# Started as `deploy.sh [--restart] [--task TASK] SERVICE RELEASE HOST…`.
#
# The hosts are only pretended: each is a directory below $DEPLOY_DIRECTORY with a link for each service, which names
# the release that runs. One with a file `broken` does not get well. `activate` and `is_well` are what to replace.
#
# Exit status: 0 deployed, 1 not wanted or rolled back because somebody said so, 2 wrong arguments, 3 rolled back
# because a host did not get well, 130 interrupted and rolled back.
set -eu

job() { spiderpig-runner job "$@"; }

running() { # HOST: prints the release that runs there
	readlink "$DEPLOY_DIRECTORY/$1/$service" || echo nothing
}

activate() { # HOST RELEASE: makes it the one that runs
	mkdir -p "$DEPLOY_DIRECTORY/$1"
	if [ "$2" = nothing ]; then
		rm -f "$DEPLOY_DIRECTORY/$1/$service"
	else
		ln -sfn "$2" "$DEPLOY_DIRECTORY/$1/$service"
	fi
	[ -z "$restart" ] || echo "$1: $service is restarted"
}

is_well() { # HOST
	sleep "${DEPLOY_SECONDS:-1}"
	[ ! -e "$DEPLOY_DIRECTORY/$1/broken" ]
}

changed= # what to take back: HOST=RELEASE, separated by spaces

deploy() { # HOST
	before=$(running "$1")
	changed="$1=$before $changed"
	activate "$1" "$release"
	echo "$1: $before → $release"
	if ! is_well "$1"; then
		echo "Error: $1 does not get well with $release." >&2
		exit 3
	fi
}

# However the script ends, what it has changed is taken back unless all went well. A second interrupt does not stop
# that, and neither does a message that nobody takes any more.
finish() {
	result=$?
	trap - EXIT
	trap '' INT TERM
	set +e
	if [ "$result" -ne 0 ] && [ -n "$changed" ]; then
		job status 'Rolling back'
		for one in $changed; do
			activate "${one%%=*}" "${one#*=}"
			echo "${one%%=*}: $release → ${one#*=}"
		done
		job status "Rolled back: $service $release is not deployed"
	fi
	exit "$result"
}

usage() {
	echo 'usage: deploy.sh [--restart] [--task TASK] SERVICE RELEASE HOST…' >&2
	exit 2
}

restart=
task=
while [ $# -gt 0 ]; do
	case $1 in
	--restart) restart=yes ;;
	--task)
		[ $# -gt 1 ] || usage
		task=$2
		shift
		;;
	-*) usage ;;
	*) break ;;
	esac
	shift
done
[ $# -gt 2 ] || usage
service=$1
release=$2
shift 2

job status "Looking at $service"
now=$(for host; do echo "$host runs $(running "$host")"; done)
order=$(job choose "$now

How is $service $release to be deployed?" \
	--choice 'One host first=o' --choice 'All hosts=a' --choice 'Not at all=n' --default o)
if [ "$order" = n ]; then
	job status "Cancelled: $service $release is not deployed"
	exit 1
fi
reason=$(job ask 'Why? It goes into the log of deployments')

# People see which security hole is closed only if they ask for it, and `ps` does not show what comes through a pipe.
[ -z "$task" ] || echo "This release is for $task." | job line --sensitive -

trap 'exit 130' INT # ends the script through `finish`
trap 'exit 143' TERM
trap finish EXIT

finished=0
for host; do
	job status "Deploying to $host"
	job progress Hosts "$finished" $#
	deploy "$host"
	finished=$((finished + 1))
	job progress Hosts "$finished" $#
	if [ "$order" = o ] && [ "$finished" -eq 1 ] && [ $# -gt 1 ]; then
		answer=$(job choose "$service $release runs on $host. Go on with the others?" \
			--choice 'Continue=c' --choice 'Roll back=r' --default r)
		[ "$answer" = c ] || exit 1
	fi
done

who=${SPIDERPIG_REAL_USER:-$(id -un)}
echo "$who: $service $release: ${reason:-no reason given}" >>"$DEPLOY_DIRECTORY/deployments.log"
job status "Deployed $service $release to $# hosts"
