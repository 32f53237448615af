# Everything the project can be asked to do; CI calls these targets and adds nothing of its own.
# `make demo` and `make test` need Python 3.11 and make; the rest says what it misses.

.DEFAULT_GOAL := help
SHELL := /bin/sh
unexport PYTHONPATH PYTHONHOME

VENV := .venv
BIN := $(VENV)/bin
RUN := $(BIN)/python
DONE := $(VENV)/.done
LEVELS := unit conformance component recovery e2e

# A stamp is named after what it was made from, so that a second run does nothing, a changed lock is
# installed, and a folder that was moved or copied gets an environment of its own.
key = $(shell { pwd; cat $(1) 2>/dev/null; } | cksum | cut -d' ' -f1)
PROJECTS := pyproject.toml clients/python/pyproject.toml
VENV_DONE := $(DONE)/venv-$(call key,/dev/null)
RUNTIME_DONE := $(DONE)/runtime-$(call key,requirements/runtime.txt $(PROJECTS))
DEV_DONE := $(DONE)/dev-$(call key,requirements/dev.txt $(PROJECTS))
NODE_DONE := node_modules/.done-$(call key,package-lock.json)

PIP := $(RUN) -m pip install --quiet --disable-pip-version-check --no-input --no-user
EDITABLE := $(PIP) --no-deps --no-build-isolation --editable . --editable clients/python

.PHONY: help
help: ## Explain every target
	@awk 'BEGIN { FS = ":.*## " } /^##@ / { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z][a-z0-9-]*:.*## / { printf "  %-18s %s\n", $$1, $$2 }' Makefile

##@ Set up

.PHONY: setup
setup: $(RUNTIME_DONE) ## Make .venv with the services and the `greenlight` command
	@echo "ready: $(BIN)/greenlight"

.PHONY: setup-dev
setup-dev: $(DEV_DONE) ## Make .venv with everything that the tests and the linters need
	@:

$(VENV_DONE):
	@tools/make_venv.sh $(VENV) "$(PYTHON)"
	@mkdir -p $(DONE) && touch $@

$(RUNTIME_DONE): $(VENV_DONE)
	@echo "installing requirements/runtime.txt"
	@$(PIP) --require-hashes --requirement requirements/runtime.txt
	@$(EDITABLE)
	@touch $@

$(DEV_DONE): $(VENV_DONE)
	@echo "installing requirements/dev.txt"
	@$(PIP) --require-hashes --requirement requirements/dev.txt
	@$(EDITABLE)
	@touch $@ $(RUNTIME_DONE)

.PHONY: lock
lock: $(DEV_DONE) ## Write the hash locks anew from requirements/*.in (UPGRADE=1 takes newer versions)
	@tools/lock.sh $(if $(UPGRADE),--upgrade)

##@ Use

.PHONY: demo
demo: $(RUNTIME_DONE) ## Run the example, live; ARGS=--yes approves, ARGS=--sequential goes one by one
	@$(BIN)/greenlight demo $(ARGS)

.PHONY: up-scaled
up-scaled: $(RUNTIME_DONE) ## 2 orchestrators, 2 executors and PostgreSQL here, until Ctrl-C (TOOLBOX=file.py DATA=folder)
	@$(RUN) tools/up_scaled.py $(if $(TOOLBOX),--toolbox $(TOOLBOX)) $(if $(DATA),--data $(DATA))

##@ Check

.PHONY: test
test: setup-dev lint $(LEVELS:%=test-%) ## Lint, then every test that needs only Python and make
	@:

.PHONY: test-unit
test-unit: $(DEV_DONE) ## Pure tests: domain, engine steps, settings, packaging
	@tools/run_tests.sh unit $(PYTEST_ARGS)

.PHONY: test-conformance
test-conformance: $(DEV_DONE) ## The suites that every adapter of a port passes
	@tools/run_tests.sh conformance $(PYTEST_ARGS)

.PHONY: test-component
test-component: $(DEV_DONE) ## Both services in one process, over real gRPC
	@tools/run_tests.sh component $(PYTEST_ARGS)

.PHONY: test-recovery
test-recovery: $(DEV_DONE) ## Failing stores, killed processes
	@tools/run_tests.sh recovery $(PYTEST_ARGS)

.PHONY: test-boundaries
test-boundaries: $(DEV_DONE) ## The long form of stopping at every write and message (SEED=n; many minutes)
	@RECOVERY=long SEED=$(or $(SEED),1) tools/run_tests.sh recovery -k test_every_boundary $(PYTEST_ARGS)

.PHONY: test-e2e
test-e2e: $(DEV_DONE) ## The command line and the demo, as processes
	@tools/run_tests.sh e2e $(PYTEST_ARGS)

.PHONY: chaos
chaos: $(DEV_DONE) ## Real processes killed, stopped and cut off under load: BATCHES=n SEED=s STORE=sqlite|postgresql; last line JSON
	@$(RUN) -m tests.chaos --batches $(or $(BATCHES),100) --seed $(or $(SEED),1) --store $(or $(STORE),sqlite)

.PHONY: lint
lint: $(DEV_DONE) ## ruff, import contracts, buf, drift of generated code
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/buf lint proto
	@$(RUN) tools/generate_proto.py --check

.PHONY: format
format: $(DEV_DONE) ## Let ruff mend and format the code
	@$(BIN)/ruff check --fix-only .
	@$(BIN)/ruff format .

.PHONY: types
types: $(DEV_DONE) $(NODE_DONE) ## pyright, strict (needs node and npm)
	@node_modules/.bin/pyright --warnings

$(NODE_DONE): package.json
	@command -v npm >/dev/null || { echo "npm is missing: install Node 20 or newer (apt-get install nodejs npm)" >&2; exit 1; }
	@npm ci --silent
	@touch $@

##@ Contracts on the wire

.PHONY: proto
proto: $(DEV_DONE) ## Generate proto/gen from proto/greenlight
	@$(BIN)/buf lint proto
	@$(RUN) tools/generate_proto.py

.PHONY: proto-breaking
proto-breaking: $(DEV_DONE) ## Compare the protos with the committed baseline
	@$(BIN)/buf breaking proto --against proto/baseline.binpb

.PHONY: proto-baseline
proto-baseline: $(DEV_DONE) ## Make the committed baseline anew (the commit says what broke)
	@$(BIN)/buf build proto --exclude-source-info --output proto/baseline.binpb

##@ Against real parts

# Each is built into .tools from the versions of its go.mod; Jaeger has one of its own, because the newer
# OpenTelemetry that grpcurl brings along keeps it from starting.
GO_TOOLS := \
	github.com/fullstorydev/grpcurl/cmd/grpcurl \
	github.com/bojand/ghz/cmd/ghz \
	google.golang.org/protobuf/cmd/protoc-gen-go \
	google.golang.org/grpc/cmd/protoc-gen-go-grpc
JAEGER := github.com/jaegertracing/jaeger/cmd/jaeger
GO_TOOLS_DONE := .tools/.done-$(call key,tools/go.mod tools/go.sum)
JAEGER_DONE := .tools/.done-jaeger-$(call key,tools/jaeger/go.mod tools/jaeger/go.sum)
GO := $(if $(shell command -v go),go,echo "go is missing: install Go 1.26 or newer from https://go.dev/dl" >&2; exit 1;)

.PHONY: tools
tools: $(GO_TOOLS_DONE) $(JAEGER_DONE) ## Build grpcurl, ghz and Jaeger into .tools (needs Go)
	@:

$(GO_TOOLS_DONE):
	@mkdir -p .tools
	@for tool in $(GO_TOOLS); do \
		echo "building $${tool##*/}"; \
		(cd tools && $(GO) build -trimpath -o "../.tools/$${tool##*/}" "$$tool") || exit 1; \
	done
	@touch $@

$(JAEGER_DONE):
	@mkdir -p .tools
	@echo "building jaeger (minutes, the first time)"
	@cd tools/jaeger && $(GO) build -trimpath -o ../../.tools/jaeger $(JAEGER)
	@touch $@

.PHONY: interop
interop: $(DEV_DONE) $(GO_TOOLS_DONE) ## grpcurl, a Go client from the generated stubs, and every command of the docs
	@tools/run_tests.sh interop --ignore=tests/interop/jaeger $(PYTEST_ARGS)

.PHONY: services
services: $(DEV_DONE) $(JAEGER_DONE) ## A batch's trace, read back from a real Jaeger
	@tools/run_tests.sh interop/jaeger $(PYTEST_ARGS)

# Two runs, each with a server of its own, so that make -j does both at once.
ON_POSTGRESQL := -m "postgresql or faketime" $(PYTEST_ARGS)

.PHONY: test-postgresql
test-postgresql: test-postgresql-store test-postgresql-processes ## What needs a real PostgreSQL, which it starts, or a clock that is set (its server programs; libfaketime)
	@:

.PHONY: test-postgresql-store
test-postgresql-store: $(DEV_DONE) ## Of these, those of the store and of several orchestrators in one process
	@tools/run_tests.sh . --ignore-glob='tests/recovery/test_*.py' $(ON_POSTGRESQL)

.PHONY: test-postgresql-processes
test-postgresql-processes: $(DEV_DONE) ## And those of killed, stopped and cut off processes
	@tools/run_tests.sh recovery --ignore=tests/recovery/store --ignore=tests/recovery/wakeups $(ON_POSTGRESQL)

.PHONY: wheels
wheels: $(DEV_DONE) ## Build both wheels, install them in an empty environment, run a batch from an empty folder
	@$(RUN) tests/packaging/check_wheels.py

##@ Speed

PEERS_DONE := .venv-peers/.done-$(call key,requirements/peers.txt)

.PHONY: bench-quick
bench-quick: $(DEV_DONE) ## Ours and the ceiling, under two minutes; the last line is JSON
	@$(RUN) -m tests.bench quick

.PHONY: bench
bench: $(DEV_DONE) ## Every measure, and the peers where installed; writes docs/benchmarks.md
	@$(RUN) -m tests.bench full

.PHONY: bench-peers
bench-peers: $(PEERS_DONE) ## Install LangGraph, DBOS and Celery into .venv-peers, for make bench
	@:

$(PEERS_DONE):
	@tools/make_venv.sh .venv-peers "$(PYTHON)"
	@.venv-peers/bin/python -m pip install --quiet --disable-pip-version-check --no-input --no-user \
		--require-hashes --requirement requirements/peers.txt
	@touch $@

##@ Housekeeping

.PHONY: clean
clean: ## Remove builds and caches
	@rm -rf build dist clients/python/dist .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	@find . -path ./.venv -prune -o -path ./node_modules -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: distclean
distclean: clean ## Remove also .venv, .venv-peers, .tools and node_modules
	@rm -rf .venv .venv-peers .tools node_modules
