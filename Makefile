# Every target works in a fresh clone: what it needs is installed into .venv first (scripts/setup.sh).
# ARGS="..." is handed on, as in: make run ARGS="--port 8080"
SHELL := /bin/sh
VENV ?= .venv
export VENV
PY := $(VENV)/bin/python
SETUP := sh scripts/setup.sh
PYTEST := $(PY) -m pytest
CHECKED := mediaserver signalling loadtest scripts tests
# Seconds for each fuzz target; `make test` fuzzes briefly, `make fuzz` for a minute, `make test-long` for ten.
FUZZ_SECONDS ?= 60
ARGS ?=
# Most tests wait more than they compute, so three run at a time, file by file. Browsers compute, and the longer a
# call lasts the more: one after the other. Those that break something and measure how the server bears it come last.
PARALLEL ?= -n 3 --dist loadfile
BROWSERS ?=
BREAKING ?= -n 2 --dist loadfile
SHOWN := tests/e2e tests/packaging
BROKEN := tests/integration/faults tests/integration/kills

.DEFAULT_GOAL := help
.PHONY: help run demo test test-fast test-long lint format types bench fuzz web wheel screenshots clean

help: ## list the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: ## install what is missing, build the web pages, start the server for this machine
	@$(SETUP) run web
	@exec $(VENV)/bin/raisehand serve --dev $(ARGS)

demo: ## play the story of one call with real clients, without a screen, and print what was measured
	@$(SETUP) run
	@exec $(VENV)/bin/raisehand demo $(ARGS)

test: ## run the whole suite, a browser included
	@$(SETUP) test npm web chromium espeak postgres
	@cd web && PATH="$$(sh ../scripts/setup.sh node-path):$$PATH" npm run --silent test
	FUZZ_SECONDS=$${FUZZ_SECONDS:-1} $(PYTEST) -m "not long" --durations=15 $(PARALLEL) $(SHOWN:%=--ignore=%) $(BROKEN:%=--ignore=%) $(ARGS)
	$(PYTEST) -m "not long" --durations=15 $(BROWSERS) $(SHOWN) $(ARGS)
	$(PYTEST) -m "not long" --durations=15 $(BREAKING) $(BROKEN) $(ARGS)

test-fast: ## run the suite without a browser and without the slow tests
	@$(SETUP) test postgres
	FUZZ_SECONDS=0.2 $(PYTEST) -m "not browser and not slow and not long" --durations=10 $(PARALLEL) $(ARGS)

test-long: ## run everything with the big counts; takes hours
	@$(SETUP) test npm web chromium espeak postgres
	HYPOTHESIS_PROFILE=long FUZZ_SECONDS=600 $(PYTEST) --timeout=0 --durations=50 $(ARGS)

lint: ## check style and the direction of imports
	@$(SETUP) dev npm
	$(PY) -m ruff check $(CHECKED)
	$(PY) -m ruff format --check $(CHECKED)
	$(VENV)/bin/lint-imports
	@cd web && PATH="$$(sh ../scripts/setup.sh node-path):$$PATH" npm run --silent lint

format: ## put the code into its standard form
	@$(SETUP) dev
	$(PY) -m ruff check --fix --exit-zero --quiet $(CHECKED)
	$(PY) -m ruff format $(CHECKED)

types: ## check the types (mypy --strict, tsc)
	@$(SETUP) dev npm
	$(PY) -m mypy
	@cd web && PATH="$$(sh ../scripts/setup.sh node-path):$$PATH" npm run --silent typecheck

bench: ## measure CPU per forwarded packet, join cost, memory and latency
	@$(SETUP) run
	@exec $(VENV)/bin/raisehand bench $(ARGS)

fuzz: ## feed damaged input to every parser that the network reaches; FUZZ_SECONDS=60 for each
	@$(SETUP) test
	$(PY) -m tests.fuzz --seconds $(FUZZ_SECONDS) $(ARGS)

web: ## build the web pages into web/dist
	@$(SETUP) run web

wheel: web ## build dist/raisehand-*.whl with the web pages inside
	@$(SETUP) test web
	$(PY) -m build --wheel --outdir dist

screenshots: ## take the pictures of docs/images from the running product
	@$(SETUP) test web chromium
	$(PY) -m scripts.screenshots $(ARGS)

clean: ## remove everything that was built, the virtual environment included
	rm -rf $(VENV) build dist web/dist web/node_modules demo-out bench-out test-out fuzz-failures
	rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
