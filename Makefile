# make run, make test: both set up what they need, on a fresh Debian with Rust, Node and root.

# What the scripts and tests use beside Rust: command → Debian package.
TOOLS := cc=build-essential python3=python3 jq=jq curl=curl strace=strace flock=util-linux
MISSING := $(foreach tool,$(TOOLS),\
	$(if $(shell command -v $(firstword $(subst =, ,$(tool)))),,$(lastword $(subst =, ,$(tool)))))

# Debian's Python has no virtual environments without a package of its own.
MISSING += $(if $(shell python3 -c 'import ensurepip' 2>&1),python3-venv)

# The Python programs that the tests use.
PYTHON := target/python/ready

# What npm installs for the page, and for its tests in a browser. Nothing of it may run a program when it is installed.
NPM_CI := npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
WEB_MODULES := web/node_modules/.package-lock.json
BROWSER_MODULES := tests/browser/node_modules/.package-lock.json

# The browser in which the page is tested, measured and photographed: Debian's.
CHROMIUM := /usr/bin/chromium

# The page as the API serves it, and what it is made of.
PAGE := web/dist/index.html
PAGE_SOURCES := $(shell find web/src web/public web/scripts -type f 2>/dev/null) web/index.html web/vite.config.ts

# What builds the book. Without its server and its watcher, which need twice as many crates.
MDBOOK_VERSION := 0.5.4
MDBOOK := target/tools/mdbook-$(MDBOOK_VERSION)

AUTH ?= none
KILLS ?= 2000
FUZZ_SECONDS ?= 300

.DEFAULT_GOAL := help
.PHONY: help setup web run quick test docs bench screenshots torture deny

help: ## Say what can be made
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/make \1\t\2/' | expand -t 20

setup: ## Install the Debian packages and Rust components that are missing
ifneq ($(strip $(MISSING)),)
	@test "$$(id -u)" = 0 || { echo "These packages are missing; as root: apt-get install $(MISSING)" >&2; exit 1; }
	apt-get update --quiet=2
	DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet=2 --no-install-recommends $(MISSING)
endif
	@node --version >/dev/null && npm --version >/dev/null || { echo "Node 20.19 or later is needed, with npm" >&2; exit 1; }
	@cargo fmt --version >/dev/null 2>&1 && cargo clippy --version >/dev/null 2>&1 || rustup component add rustfmt clippy

$(PYTHON): tests/python/requirements.txt | setup
	python3 -m venv $(@D)
	$(@D)/bin/pip install --quiet --disable-pip-version-check --require-hashes --requirement $<
	touch $@

$(CHROMIUM):
	@test "$$(id -u)" = 0 || { echo "A browser is missing; as root: apt-get install chromium" >&2; exit 1; }
	apt-get update --quiet=2
	DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet=2 --no-install-recommends chromium

%/node_modules/.package-lock.json: %/package.json %/package-lock.json | setup
	cd $* && $(NPM_CI)
	@touch $@

web: $(PAGE) ## Build the page

$(PAGE): $(WEB_MODULES) $(PAGE_SOURCES)
	cd web && npm run --silent build

# Optimised, but without the link-time optimisation of a release, which takes longer than everything else.
run: setup web ## Start a demo at http://127.0.0.1:8000; with AUTH=local or AUTH=cas people sign in
	cargo build --profile quick --bins --locked
	@AUTH=$(AUTH) scripts/run-demo.sh target/quick

test: setup $(PYTHON) web $(BROWSER_MODULES) $(CHROMIUM) ## Format, lints and all tests; says where the time went
	scripts/test.sh

quick: ## Format, lints and unit tests of the Rust code: before each commit
	cargo fmt --check
	cargo clippy --quiet --all-targets --locked -- -D warnings
	cargo test --quiet --locked --lib --bins

$(MDBOOK):
	cargo install --quiet --locked --version $(MDBOOK_VERSION) --no-default-features --features search --root target/tools mdbook
	@touch $@

docs: $(MDBOOK) ## Build the book: target/book/index.html
	scripts/build-book.sh target/tools/bin/mdbook

bench: setup web $(BROWSER_MODULES) $(CHROMIUM) ## Measure
	cargo bench --locked

screenshots: setup web $(BROWSER_MODULES) $(CHROMIUM) ## Make the pictures of the documents anew
	cargo build --bins --locked
	cd tests/browser && npm run --silent screenshots

torture: setup $(PYTHON) ## Kill daemons and supervisors at random, KILLS=2000 times; send the API nonsense, FUZZ_SECONDS=300
	SPIDERPIG_TORTURE_KILLS=$(KILLS) cargo test --locked --test suite torture -- --nocapture
	SPIDERPIG_FUZZ_SECONDS=$(FUZZ_SECONDS) cargo test --locked --test suite openapi -- --nocapture

deny: ## Check licences and sources of the dependencies (needs cargo-deny)
	@command -v cargo-deny >/dev/null || { echo "First: cargo install --locked cargo-deny" >&2; exit 1; }
	cargo deny --locked check
