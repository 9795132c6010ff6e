#!/usr/bin/env bash
# Runs every check and test, and says where the time went. `make test` calls it when what it needs is there.
#
# Three lanes run at the same time: the compiler mostly keeps one core busy, and tests wait for much of their time.
set -uo pipefail
cd "$(dirname "$0")/.."

# Clippy compiles what is tested, and lints it on the way. A pass of its own would take as long as the build again.
export RUSTC_WORKSPACE_WRAPPER=clippy-driver

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

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

# Warnings are errors here. Cargo repeats those of an earlier build.
build() {
	cargo test --locked --all-targets --no-run 2>&1 | tee "$work/build" || return
	! grep -q '^warning' "$work/build"
}

# Notes how the build ended, for the lanes that need it.
build_for_all() {
	local status=0
	step 'Rust: build of programs and tests, with lints' build || status=$?
	echo "$status" >"$work/built.new"
	mv "$work/built.new" "$work/built"
	return "$status"
}

await_build() {
	until [[ -e $work/built ]]; do sleep 1; done
	[[ $(<"$work/built") == 0 ]]
}

# The tests of the real programs. A run that takes longer hangs; libtest names each test that takes over a minute.
integration() {
	timeout --kill-after=10s 20m cargo test --locked --test suite
}

programs() {
	build_for_all &&
		step 'Rust: format' cargo fmt --check &&
		step 'Rust: unit tests' cargo test --locked --lib --bins &&
		step 'Rust: examples in the documentation' cargo test --locked --doc &&
		step 'Integration tests' integration &&
		step 'Rust: documentation' env RUSTDOCFLAGS='-D warnings' cargo doc --locked --no-deps --document-private-items
}

page() {
	step 'Page: types, lints and format' within web npm run --silent check &&
		step 'Page: unit tests' within web npm run --silent test &&
		step 'Browser tests: types and format' within tests/browser npm run --silent check &&
		await_build &&
		step 'Browser tests' within tests/browser npm run --silent test
}

unwatched() {
	await_build &&
		SPIDERPIG_TEST_WATCH=false SPIDERPIG_FUZZ_SECONDS=5 \
			step 'Integration tests, with the file watcher switched off' integration
}

declare -A beside
for lane in page unwatched; do
	"$lane" >"$work/$lane" 2>&1 &
	beside[$lane]=$!
done
status=0
programs || status=1
for lane in page unwatched; do
	printf '\n=== Meanwhile: %s\n' "$lane"
	wait "${beside[$lane]}" || status=1
	cat "$work/$lane"
done
printf '\n=== Where the time went\n'
cat "$work/times"
printf '%6d s  together\n' "$SECONDS"
exit "$status"
