#!/usr/bin/env bash
# Starts runner, API and a stand-in for Gerrit on a demo spool, says what to try, and stops them at Ctrl-C or SIGTERM.
# `make run` builds and calls it as: AUTH=none|local|cas run-demo.sh DIRECTORY-OF-THE-PROGRAMS
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd -P)
programs=$(cd "$1" && pwd -P)
demo=$root/target/demo
spool=$demo/spool
config=$demo/spiderpig.toml
address=127.0.0.1:8000
url=http://$address
gerrit=127.0.0.1:8001 # as examples/spiderpig.toml has it
sso=127.0.0.1:8002
auth=${AUTH:-none}

fail() {
	echo "make run: $*" >&2
	exit 1
}

case $root in
*['"\|&']* | *$'\n'*) fail "the path $root has a character that this demo cannot put into its configuration" ;;
esac
case $auth in
none | local) wanted=("$address" "$gerrit") ;;
cas) wanted=("$address" "$gerrit" "$sso") ;;
*) fail "AUTH is none (everybody is signed in), local (a user and a password) or cas (single sign-on), not $auth" ;;
esac
for wanted in "${wanted[@]}"; do
	if (exec 3<>"/dev/tcp/${wanted/://}") 2>/dev/null; then
		fail "$wanted is in use, perhaps by another \`make run\`. What listens there: ss -ltnp 'sport = :${wanted#*:}'"
	fi
done

mkdir -p "$demo"
# Two lines of its [auth] say that nobody signs in.
case $auth in
none) people=() ;;
local) people=(-e "s|^mode = \"none\".*|mode = \"local\"|" -e "s|^dev_user = .*|users_file = \"$demo/users.toml\"|") ;;
cas) people=(-e "s|^mode = \"none\".*|mode = \"cas\"|" -e "s|^dev_user = .*|cas = { server_url = \"http://$sso\" }|") ;;
esac
sed "s|@ROOT@|$root|g" "$root/examples/spiderpig.toml" | sed "${people[@]}" -e '' >"$config"

pids=()
interrupted=

start() { # NAME: starts a daemon with its messages in a file
	# Jobs find spiderpig-runner in the runner's PATH: examples/hello.sh calls it.
	PATH=$programs:$PATH "$programs/spiderpig-$1" --config "$config" >"$demo/$1.log" 2>&1 </dev/null &
	pids+=($!)
}

await() { # NAME PID COMMAND…: waits until the command succeeds
	local name=$1 pid=$2 tries=100
	shift 2
	until "$@"; do
		[[ -z $interrupted ]] || exit 130
		if ! kill -0 "$pid" 2>/dev/null || ((--tries == 0)); then
			tail -n 20 "$demo/$name.log" >&2
			fail "the $name did not come up; its messages are above"
		fi
		sleep 0.1
	done
}

# The runner holds a lock as long as it lives, so a file left by an earlier run does not deceive.
runner_is_up() { [[ -e $spool/runner.lock ]] && ! flock --shared --nonblock "$spool/runner.lock" true; }
api_is_up() { curl --silent --fail --output /dev/null "$url/healthz"; }

stop() {
	trap '' INT TERM # once is enough
	[[ ${#pids[@]} -eq 0 ]] || kill -TERM "${pids[@]}" 2>/dev/null || true
	wait
	pids=()
}
trap stop EXIT
trap 'interrupted=yes' INT TERM

# The log has what it is asked.
"$root/examples/gerrit/gerrit.py" --port "${gerrit#*:}" >"$demo/gerrit.log" 2>&1 </dev/null &
pids+=($!)
if [[ $auth == cas ]]; then
	"$root/examples/cas/cas.py" --port "${sso#*:}" >"$demo/cas.log" 2>&1 </dev/null &
	pids+=($!)
fi
# Whoever has run this before keeps their password, second factor and sessions.
if [[ $auth == local && ! -e $demo/password ]]; then
	(umask 077 && head -c 12 /dev/urandom | base64 | tr "+/" xz >"$demo/password")
	rm -f "$demo/users.toml"
	"$programs/spiderpig-api" --config "$config" user add demo --group deployers --group admins <"$demo/password" >/dev/null
fi
start runner
runner=${pids[-1]}
await runner "$runner" runner_is_up
# What other programs would tell. Where the trains of an earlier demo have gone, stays.
for name in train mediawiki; do
	[[ -e $spool/monitoring/$name.json ]] || "$root/examples/monitoring/write.sh" "$spool" "$name" \
		jq '.time = (now | todate)' "$root/examples/monitoring/$name.json"
done
start api
await api "${pids[-1]}" api_is_up

job=$((10#$(<"$spool/sequence") + 1)) # the next number
case $auth in
none) how="open $url in a browser." ;;
local) how="open $url in a browser, and sign in as demo with the password $(<"$demo/password")
Then set up the second factor with an authenticator app. Without one, its codes are to be had here:
    SUDO_USER=demo $programs/spiderpig-api --config $config otp" ;;
cas) how="open http://localhost:${address#*:} in a browser. You are sent to a stand-in for a single sign-on, where you choose who you are: as
alice you may deploy, as ada you are an administrator too. Then set up the second factor with an authenticator app. Without
one, its codes are to be had here:
    SUDO_USER=alice $programs/spiderpig-api --config $config otp" ;;
esac
case $auth in
none) user= ;;
local) user="--user demo" ;;
cas) user="--user alice --group deployers" ;; # of a single sign-on nobody else knows the groups
esac
by_token=
[[ -z $user ]] || by_token="
A script needs a token, which curl sends with -H \"Authorization: Bearer \$TOKEN\":
    $programs/spiderpig-api --config $config token create \\
        $user --name try --scope read --scope start:backport --scope answer --expires 1d
"
cat <<END

SpiderPig is up: $how

Start "MediaWiki backport (replay)" with change 42, and answer its two questions. There are other changes, not all as good:
102 is not finished, 106 depends on 107, and with 903 Gerrit fails. The same from another terminal:
    curl -X POST $url/api/jobs -H 'Content-Type: application/json' \\
        -d '{"type": "backport", "params": {"change_url": ["42"]}}'
    curl -sN $url/api/jobs/$job/log | jq --unbuffered -r '.line // empty'
    curl -X POST $url/api/jobs/$job/interact/${job}000001 -d y
    curl -X POST $url/api/jobs/$job/interact/${job}000002 -d c
    curl -X POST $url/api/jobs/$job/signal/interrupt
$by_token
The same with files:
    cd $spool
    ls queue running
    tail -f jobs/$job/output.log
    jq '{state, message, interaction}' jobs/$job/status.json

Configuration: $config
Messages: $demo/runner.log, $demo/api.log, $demo/gerrit.log$([[ $auth != cas ]] || echo ", $demo/cas.log")
Ctrl-C stops all.
END

# Ends when a signal comes or one of them has ended.
wait -n || true
if [[ -z $interrupted ]]; then
	tail -n 5 "$demo/runner.log" "$demo/api.log" "$demo/gerrit.log" >&2
	fail "one of the programs has ended; the last messages of all are above"
fi

stop
echo
echo "Runner and API have stopped."
for link in "$spool"/running/*; do
	# The link of a job that has just ended stays until a runner tidies up.
	if [[ -e $link ]] && jq --exit-status '.finished_at == null' "$link/status.json" >/dev/null; then
		echo "Job ${link##*/} goes on without them; \`make run\` finds it again."
	fi
done
