#!/usr/bin/env bash
# Runs every check and test, and says where the time went. `make test` calls it when what it needs is there.
#
# There are two lanes: the compiler mostly keeps one core busy, and tests wait for much of their time.
set -uo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkfifo "$work/programs"

# step NAME COMMAND…: runs a command, and notes how long it took.
step() {
	local name=$1 start=$SECONDS status=0
	shift
	printf '\n=== %s\n' "$name"
	"$@" || status=$?
	printf '%6d s  %s%s\n' $((SECONDS - start)) "$name" "$([[ $status == 0 ]] || echo ': FAILED')" >>"$work/times"
	return "$status"
}

within() {
	local directory=$1
	shift
	(cd "$directory" && "$@")
}

# The tests of the real programs. What takes longer than this hangs, and libtest has named it after a minute.
integration() {
	timeout --kill-after=10s 20m cargo test --locked --test suite
}

programs() {
	step 'Rust: format' cargo fmt --check &&
		step 'Rust: build of programs and tests' cargo test --locked --no-run
	local status=$?
	# The other lane waits for the programs, or hears that there are none.
	echo "$status" >"$work/programs" &
	[[ $status == 0 ]] &&
		step 'Rust: lints' cargo clippy --all-targets --locked -- -D warnings &&
		step 'Rust: documentation' env RUSTDOCFLAGS='-D warnings' cargo doc --locked --no-deps --document-private-items &&
		step 'Rust: unit tests' cargo test --locked --lib --bins &&
		step 'Rust: examples in the documentation' cargo test --locked --doc &&
		step 'Integration tests' integration
}

# The second pass of the integration tests is here, as this lane is done earlier.
page() {
	local built
	step 'Page: types, lints and format' within web npm run --silent check &&
		step 'Page: unit tests' within web npm run --silent test &&
		step 'Browser tests: types and format' within tests/browser npm run --silent check
	local status=$?
	read -r built <"$work/programs"
	[[ $status == 0 && $built == 0 ]] &&
		step 'Browser tests' within tests/browser npm run --silent test &&
		SPIDERPIG_TEST_WATCH=false SPIDERPIG_FUZZ_SECONDS=5 \
			step 'Integration tests, with the file watcher switched off' integration
}

page >"$work/page" 2>&1 &
beside=$!
programs
programs=$?
printf '\n=== Beside that\n'
wait "$beside"
page=$?
cat "$work/page"
printf '\n=== Where the time went\n'
cat "$work/times"
printf '%6d s  together\n' "$SECONDS"
[[ $programs == 0 && $page == 0 ]]
