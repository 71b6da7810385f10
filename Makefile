# Targets for people and for CI. `make` alone lists them.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help demo test test-all bench baseline soak fuzz dist deb book lint fmt clippy clean
MAKEFLAGS += --no-print-directory
export PATH := $(PATH):$(HOME)/.cargo/bin
TARGET = $(or $(CARGO_TARGET_DIR),target)
VERSION = $(shell sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)

# $(call timed,COMMAND): runs it, says how long the target took, keeps its exit code.
timed = @begun=$$SECONDS; ( set -e; $(1) ); code=$$?; echo "make $@: $$((SECONDS - begun)) s" >&2; exit $$code
build = cargo build --release -p hwsim -p firsthop

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 18

demo: ## two simulated switches, a host, one virtual router that moves: see it work
	$(call timed,selftests/lib/install.sh demo; selftests/demo.sh)

test: ## what a change must pass: format, lints, tests, register vectors, network namespace scripts here, on Linux 6.12 and its flavours
	@begun=$$SECONDS; selftests/suite test; selftests/suite totals; \
		code=$$?; echo "make test: $$((SECONDS - begun)) s" >&2; exit $$code

test-all: ## test, and short fuzzes, instruction counts, the programs built once more elsewhere, the book, a soak of ten minutes, the newest kernel
	@begun=$$SECONDS; echo "make test-all: make test, then the rest"; failed=0; \
		$(MAKE) test || failed=1; selftests/suite extra || failed=1; selftests/suite totals || failed=1; \
		echo "make test-all: $$((SECONDS - begun)) s" >&2; exit $$failed

bench: ## benchmarks, one JSON object a line
	$(call timed,selftests/lib/install.sh test >&2; $(build); for program in pipeline-rate forward-rate punt-rate wire-rate; do cargo run -q --release -p hwsim --example $$program; done; \
		selftests/bench/recorded || [ $$? = 4 ]; selftests/bench/failover || [ $$? = 4 ])

BASELINE = selftests/bench/instructions/baseline.txt
baseline: ## the table of instructions and allocations anew, after a change that is meant to cost more or less
	$(call timed,selftests/lib/install.sh test >&2; cargo build --release -p instructions; \
		selftests/bench/instructions/count $(TARGET)/release/instructions >$(TARGET)/baseline.txt; \
		mv $(TARGET)/baseline.txt $(BASELINE); git --no-pager diff --stat $(BASELINE))

soak: ## random changes on a running switch for SOAK_SECONDS (600); a million writes in the fault laboratory (LAB_TRANSACTIONS)
	$(call timed,selftests/lib/install.sh test; $(build); selftests/soak.sh; \
		LAB_TRANSACTIONS=$(or $(LAB_TRANSACTIONS),1000000) cargo test -q --release -p firsthop --test properties -- --nocapture whatever_goes_wrong)

fuzz: ## coverage-guided fuzzing, FUZZ_SECONDS (600) for each of its targets
	$(call timed,selftests/fuzz.sh)

dist: ## static programs and the documentation as a tar archive; for another processor DIST_TARGET=aarch64-unknown-linux-gnu
	$(call timed,selftests/lib/install.sh build; selftests/lib/dist.sh $(TARGET) $(VERSION) $(DIST_TARGET))

lint: fmt clippy ## formatting and lints

fmt:
	$(call timed,cargo fmt --all --check)

clippy:
	$(call timed,cargo clippy --workspace --all-targets -- -D warnings)

deb: ## Debian packages of the agent and of the simulated chip
	$(call timed,selftests/lib/install.sh build; $(build); agent/dist/deb/build $(TARGET) $(VERSION))

book: ## the documentation as a book, in target/book
	$(call timed,selftests/lib/install.sh book; selftests/lib/mdbook.sh $(TARGET)/book)

clean: ## remove what building and testing made
	$(call timed,cargo clean)
