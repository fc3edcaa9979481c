# Jiyun (集云). `make help` lists the targets.
SHELL := /bin/bash
.DEFAULT_GOAL := help

export CARGO_BUILD_JOBS ?= $(shell nproc)
export CARGO_TERM_COLOR ?= auto
CACHE := $(or $(JIYUN_LAB_CACHE),$(if $(XDG_CACHE_HOME),$(XDG_CACHE_HOME)/jiyun-lab,$(HOME)/.cache/jiyun-lab))
TOOLS := $(CACHE)/tools
DENY_VERSION := 0.20.2
DENY := $(TOOLS)/bin/cargo-deny

comma := ,

# Programs are built with the whole workspace and then run as they are: `cargo run -p` of one package asks for other features of
# what lies below it, and would compile all of that once more.
TARGET := $(or $(CARGO_TARGET_DIR),target)
PROGRAMS := $(TARGET)/debug
RELEASED := $(TARGET)/release
LAB := $(PROGRAMS)/jiyun-lab

.PHONY: help
help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | awk -F'\t' '{printf "  make %-14s %s\n", $$1, $$2}'

.PHONY: prerequisites
prerequisites: ## Install what the build needs (Debian/Ubuntu), or say what to type
	@tools/prerequisites

.PHONY: build
build: prerequisites ## Build every program
	cargo build --workspace --locked

.PHONY: demo
demo: build lab-real ## Tell the story on a lab of its own, then stay up (ONCE=1 ends by itself; PROFILE=node: machines boot, as root)
	$(if $(filter node,$(PROFILE)),$(LAB) build --profile node --with kubevirt$(comma)cdi$(comma)jiyun)
	$(PROGRAMS)/jiyun-demo $(if $(ONCE),--once,) $(if $(PROFILE),--profile $(PROFILE),)

.PHONY: lab
lab: build ## Build the lab's programs (once; cached outside the checkout)
	$(LAB) build

.PHONY: lab-real
lab-real: lab
	$(LAB) build --profile real

# A failed test says what it waited for and what it saw last; the frames of the runtime below it would bury that.
BACKTRACE ?= 0

# What a node is made of, where this machine can run one.
.PHONY: lab-node
lab-node: lab
	@if $(LAB) doctor --profile node >/dev/null 2>&1; \
	then $(LAB) build --profile node; \
	else echo "Tests on a node are left out on this machine; '$(LAB) doctor' says why."; fi

.PHONY: schemathesis
schemathesis: ## Install what tries the API against its description (needs Python 3 with venv)
	@tools/schemathesis $(TOOLS)/schemathesis

# Tests wait for programs of their own half of the time: with one more than there are cores the suites take a fifth less.
export RUST_TEST_THREADS ?= $(shell echo $$(($$(nproc) + 1)))

.PHONY: test
test: build lab-real lab-node ## Run every suite (on a node too, where root can run one)
	@[ -n "$$JIYUN_TEST_WITHOUT_SCHEMATHESIS" ] || tools/schemathesis $(TOOLS)/schemathesis \
	  || echo "The test of the API against its description will fail; JIYUN_TEST_WITHOUT_SCHEMATHESIS=1 leaves it out." >&2
	RUST_BACKTRACE=$(BACKTRACE) tools/failures target/test.log cargo test --workspace --locked --no-fail-fast

NODE_PARTS := kubevirt,cdi,cnpg,csi,s3,jiyun
# Suites that know nothing of how Jiyun runs: they go through against its pods as they are.
SCENARIOS := $(addprefix suite::,access account_book bad_input deletion isolation orders pools rights roles story tree)

.PHONY: test-node
test-node: build ## On a node: boot guests and databases, take snapshots, install the charts (root; minutes to build once)
	$(LAB) doctor --profile node --with $(NODE_PARTS)
	$(LAB) build --profile node --with $(NODE_PARTS)
	JIYUN_TEST_NODE_PARTS=$(NODE_PARTS) cargo test --workspace --locked --test node -- --test-threads 1
	JIYUN_TEST_NODE_PARTS=$(NODE_PARTS) cargo test --workspace --locked --test suite -- on_node:: --test-threads 1 --nocapture
	JIYUN_TEST_WORLD=node JIYUN_TEST_NODE_PARTS=$(NODE_PARTS) cargo test --workspace --locked --test suite -- story:: --test-threads 1
	JIYUN_TEST_WORLD=node JIYUN_TEST_NODE_PARTS=jiyun cargo test --workspace --locked --test suite -- $(SCENARIOS) --test-threads 4

REGISTRY ?= localhost
IMAGES := target/images/jiyun.tar

.PHONY: images
images: build ## Write container images without a daemon: target/images/jiyun.tar (REGISTRY=registry.example TAG=...)
	cargo build --release --locked -p jiyun-controller -p jiyun-api
	JIYUN_BIN_DIR=$(RELEASED) $(LAB) images \
	  --registry $(REGISTRY) $(if $(TAG),--tag $(TAG),) --output $(IMAGES)

.PHONY: lint
lint: build $(DENY) ## Formatting, clippy, licences, generated files, house rules
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	$(PROGRAMS)/crdgen --check
	$(PROGRAMS)/jiyun-api openapi --check docs/openapi.json
	$(DENY) --locked check bans licenses sources
	tools/house-rules

.PHONY: audit
audit: $(DENY) ## Check dependencies against the advisory database (needs network access to it)
	$(DENY) --locked check advisories

.PHONY: bench
bench: prerequisites ## Measure (ONLY=name for one figure); results in target/bench/results.jsonl
	cargo build --workspace --bins --release --locked
	$(RELEASED)/jiyun-lab build
	$(RELEASED)/jiyun-bench $(if $(ONLY),--only $(ONLY),)

.PHONY: crds
crds: build ## Generate crds/manifests and docs/openapi.json from the types
	$(PROGRAMS)/crdgen
	$(PROGRAMS)/jiyun-api openapi > docs/openapi.json.new
	mv docs/openapi.json.new docs/openapi.json

.PHONY: clean
clean: ## Remove build output; the lab's cached programs stay
	cargo clean
	rm -rf demo-out .lab

$(DENY):
	@mkdir -p $(TOOLS)
	cargo install --locked --root $(TOOLS) cargo-deny --version $(DENY_VERSION)
