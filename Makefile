# Two commands are enough on a fresh machine: `make bench` and `make test`. Each sets up what it needs in .venv.
.DELETE_ON_ERROR:
.NOTPARALLEL:
.DEFAULT_GOAL := help
.PHONY: help setup build bench test rust torture lint type audit matrix limits wheel history notebook lock clean

PYTHON ?= python3
# The label of this machine in results: its processor, never its name.
MACHINE ?= $(shell $(VENV)/bin/python -c 'from harness.measure.host import machine_label; print(machine_label())' 2>/dev/null)
VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --quiet --disable-pip-version-check install
PINNED := $(PIP) --constraint .ci/constraints.txt
# Compiled crates live outside of the checkout: a second clone, or a commit that asv builds, compiles our own crate alone.
export CARGO_TARGET_DIR ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/asyncdictsqlite/target
# rustup's, the system's or any other cargo, in front of PATH; or one sentence that says what is missing.
RUST = rust=$$(sh .ci/rust.sh) && PATH="$(abspath $(VENV)/bin):$$rust:$$PATH"
SOURCES := $(shell find rust_core -type f -not -path '*/target/*') .cargo/config.toml pyproject.toml
GROUPS = audit build dev examples harness history lint lock notebook peers test
TESTED = examples harness notebook peers test

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile

$(VENV)/.made: ## an empty environment with the pinned pip
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 9))' 2>/dev/null || { \
		echo "$(PYTHON) is not Python 3.9 or newer: install one, or name one by make PYTHON=..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "$(PYTHON) has no venv: install it (on Debian: apt-get install python3-venv)" >&2; exit 1; }
	@sh .ci/rust.sh >/dev/null
	$(PYTHON) -m venv --clear $(VENV)
	$(PINNED) pip
	@touch $@

# One stamp for each group of tools: made again when the pins change.
$(GROUPS:%=$(VENV)/.group-%): $(VENV)/.group-%: pyproject.toml .ci/constraints.txt $(VENV)/.made
	$(PINNED) --group $*
	@touch $@

# The optimized extension, as an editable install: made again when a Rust source changes.
$(VENV)/.built: $(SOURCES) $(VENV)/.group-build
	@echo 'compiling rust_core'
	@$(RUST) $(PIP) --no-build-isolation --no-deps --editable .
	@touch $@

setup: $(VENV)/.built $(VENV)/.group-dev ## everything a developer needs, in .venv

build: $(VENV)/.built ## compile rust_core into .venv

bench: $(VENV)/.built $(VENV)/.group-harness $(VENV)/.group-peers ## measure, print tables, draw figures (BENCH_ARGS=--full for more)
	$(PY) -m harness run $(BENCH_ARGS)

test: $(VENV)/.built $(TESTED:%=$(VENV)/.group-%) ## the tests (TEST_ARGS='-k name' for some)
	$(PY) -m pytest $(TEST_ARGS)

rust: $(VENV)/.made ## the tests of the engine alone, and of its queues in thousands of orders of their threads
	$(RUST) cargo test --quiet --locked --manifest-path rust_core/Cargo.toml --no-default-features
	$(RUST) cargo test --quiet --locked --manifest-path rust_core/Cargo.toml --no-default-features --features shuttle shuttled

torture: $(VENV)/.built $(TESTED:%=$(VENV)/.group-%) ## prove the promises at length, an hour (TORTURE_ARGS='-k soak' for a row)
	$(PY) -m pytest tests/trust --torture $(TORTURE_ARGS)
	$(PY) -m harness.powercut table --into docs/durability.md

lint: $(VENV)/.built $(VENV)/.group-lint ## Python and Rust, no warning allowed
	$(VENV)/bin/ruff check
	$(RUST) cargo fmt --manifest-path rust_core/Cargo.toml --check
	$(RUST) cargo clippy --quiet --locked --manifest-path rust_core/Cargo.toml --all-targets -- --deny warnings

type: $(VENV)/.built $(TESTED:%=$(VENV)/.group-%) $(VENV)/.group-lint ## types, and the layers of the imports
	$(VENV)/bin/mypy
	PYTHONPATH=. $(VENV)/bin/lint-imports --no-cache

# Cargo's plugin is not ours to install: cargo install --locked cargo-deny.
audit: $(VENV)/.group-audit ## known vulnerabilities, licences and sources of what is used (asks the network)
	$(RUST) cargo deny --manifest-path rust_core/Cargo.toml check
	$(VENV)/bin/pip-audit --disable-pip --no-deps --requirement .ci/constraints.txt

matrix: $(VENV)/.group-build ## the conformance suite on a wheel for every other Python found here
	$(RUST) sh .ci/matrix.sh

limits: $(VENV)/.built $(VENV)/.group-harness $(VENV)/.group-peers ## what it costs beside the least it could, on two Pythons
	$(RUST) sh .ci/limits.sh $(LIMITS_ARGS)

wheel: $(VENV)/.group-build ## a wheel for this Python, in dist/
	$(RUST) maturin build --quiet --release --interpreter $(PY) --out dist

# Each commit's wheel is built once, into its own folder of asv's build cache; results/asv keeps no name of this host.
history: $(VENV)/.group-history $(VENV)/.group-harness ## record this commit with asv (ASV_RANGE=HEAD~5..HEAD for more)
	$(VENV)/bin/asv machine --yes --machine $(MACHINE) >/dev/null
	$(RUST) asv run --machine $(MACHINE) --record-samples --skip-existing-successful --show-stderr $(or $(ASV_RANGE),HEAD^!)

notebook: $(VENV)/.built $(VENV)/.group-harness $(VENV)/.group-notebook ## run the notebooks over results/, keep their outputs
	$(PY) -m harness notebook

lock: $(VENV)/.group-lock ## pin the newest tools, for every Python from 3.9 up
	$(VENV)/bin/uv pip compile --quiet --upgrade --system-certs --universal --python-version 3.9 --no-header --no-annotate \
		--no-emit-index-url --no-emit-find-links --all-extras $(GROUPS:%=--group %) pyproject.toml --output-file .ci/constraints.txt

clean: ## drop the environment and what was built
	rm -rf $(VENV) .asv .bench dist implementations/asyncdictsqlite/_rust*.so
