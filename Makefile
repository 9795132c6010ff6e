# make run, make test: both set up what they need, on a fresh Debian with Rust, Node and root.

# What the scripts and tests use beside Rust: command → Debian package.
TOOLS := cc=build-essential python3=python3 jq=jq curl=curl strace=strace flock=util-linux
MISSING := $(foreach tool,$(TOOLS),\
	$(if $(shell command -v $(firstword $(subst =, ,$(tool)))),,$(lastword $(subst =, ,$(tool)))))

# Debian's Python has no virtual environments without a package of its own.
MISSING += $(if $(shell python3 -c 'import ensurepip' 2>&1),python3-venv)

# The Python programs that the tests use.
PYTHON := target/python/ready

KILLS ?= 2000
FUZZ_SECONDS ?= 300

.DEFAULT_GOAL := help
.PHONY: help setup run test bench torture deny

help: ## Say what can be made
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/make \1\t\2/' | expand -t 16

setup: ## Install the Debian packages and Rust components that are missing
ifneq ($(strip $(MISSING)),)
	@test "$$(id -u)" = 0 || { echo "These packages are missing; as root: apt-get install $(MISSING)" >&2; exit 1; }
	apt-get update --quiet=2
	DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet=2 --no-install-recommends $(MISSING)
endif
	@cargo fmt --version >/dev/null 2>&1 && cargo clippy --version >/dev/null 2>&1 || rustup component add rustfmt clippy

$(PYTHON): tests/python/requirements.txt | setup
	python3 -m venv $(@D)
	$(@D)/bin/pip install --quiet --disable-pip-version-check --require-hashes --requirement $<
	touch $@

# Optimised, but without the link-time optimisation of a release, which takes longer than everything else.
run: setup ## Start a demo at http://127.0.0.1:8000
	cargo build --profile quick --bins --locked
	@scripts/run-demo.sh target/quick

test: setup $(PYTHON) ## Format, lints and all tests
	cargo fmt --check
	cargo clippy --all-targets --locked -- -D warnings
	cargo test --locked
	@echo "The integration tests again, with the file watcher switched off:"
	SPIDERPIG_TEST_WATCH=false SPIDERPIG_FUZZ_SECONDS=5 cargo test --locked --test suite

bench: setup ## Measure
	cargo bench --locked

torture: setup $(PYTHON) ## Kill daemons and supervisors at random, KILLS=2000 times; send the API nonsense, FUZZ_SECONDS=300
	SPIDERPIG_TORTURE_KILLS=$(KILLS) cargo test --locked --test suite torture -- --nocapture
	SPIDERPIG_FUZZ_SECONDS=$(FUZZ_SECONDS) cargo test --locked --test suite openapi -- --nocapture

deny: ## Check licences and sources of the dependencies (needs cargo-deny)
	@command -v cargo-deny >/dev/null || { echo "First: cargo install --locked cargo-deny" >&2; exit 1; }
	cargo deny --locked check
