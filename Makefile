# Python 3.11 or newer and make are all that is needed. `make` lists what there is.
#   PYTHON=/path/to/python   which Python makes .venv (default: the first that is new enough)
#   ARGS="…"                 further arguments for demo, test, bench, lock

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help install install-dev demo check unit lint test test-long bench bench-peers bench-pricing lock schemas clean
SHELL := /bin/sh

VENV := .venv
PY := $(VENV)/bin/python
UV := 0.13.9
FAST := not slow and not integration and not docker and not long

# A checkout that was moved or copied is installed anew: the editable path is in the .venv.
ifneq ($(shell cat $(VENV)/.checkout 2>/dev/null),$(CURDIR))
$(shell rm -f $(VENV)/.installed $(VENV)/.installed-dev)
endif

help: ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/\1 \2/p' Makefile | while read -r name text; do \
		printf '  make %-13s %s\n' "$$name" "$$text"; done

install: $(VENV)/.installed ## .venv with the locked packages and .venv/bin/laddstream

install-dev: $(VENV)/.installed-dev ## the same, with what tests and lint need

demo: install ## a simulated fleet, live; ONCE=1: a finite run, checked
	@$(VENV)/bin/laddstream demo $(if $(filter-out 0,$(ONCE)),--once) $(ARGS)

check: install-dev ## lint, types, contracts, unit tests; under a minute
	@$(MAKE) --no-print-directory -j2 lint unit

unit: install-dev ## unit tests alone
	@$(PY) -m pytest -q -m "$(FAST)" $(ARGS)

test: lint ## everything: the same, and all tests
	@$(PY) -m pytest -m "not long" $(ARGS)

test-long: install-dev ## 10,000 streams, fast lane against its twin: 15 minutes
	@$(PY) -m pytest -m long $(ARGS)

lint: install-dev ## lint, types and import contracts alone
	@$(PY) -m ruff check --quiet .
	@$(PY) -m ruff format --check --quiet .
	@$(PY) -m mypy
	@$(VENV)/bin/lint-imports --no-logo

bench: install-dev ## CPU per event, freshness, memory: five minutes
	@$(PY) -m bench $(ARGS)

bench-peers: install-dev ## the same job on other engines (Java, Maven)
	@$(PY) -m bench.peers $(ARGS)

bench-pricing: install-dev ## sessions priced per CPU second, beside the test oracle
	@$(PY) -m bench.pricing $(ARGS)

schemas: install-dev ## write JSON Schema and AsyncAPI files from the models
	@$(PY) -m schemas.generate

lock: $(VENV)/.python ## pyproject.toml into the lock files; ARGS=--upgrade
	@$(PY) -m pip install --quiet uv==$(UV)
	@$(compile) --output-file requirements.lock
	@$(compile) --extra dev --output-file requirements-dev.lock

clean: ## remove what builds and tests left; .venv stays
	rm -rf build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

compile = $(PY) -m uv pip compile --quiet pyproject.toml --universal --python-version 3.11 \
	--generate-hashes --no-header $(ARGS)

pip = if [ -t 1 ]; then quiet=; else quiet=--quiet; fi; \
	$(PY) -m pip install --disable-pip-version-check --no-input --no-deps $$quiet

$(VENV)/.python:
	@for python in $(if $(PYTHON),"$(PYTHON)",python3 python3.14 python3.13 python3.12 python3.11); do \
		if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
			"$$python" -m venv $(VENV) && touch $@ && exit 0; exit 1; \
		fi; \
	done; \
	echo "No Python 3.11 or newer found: install one, or say where it is with make PYTHON=/path/to/python." >&2; \
	exit 1

$(VENV)/.installed: requirements.lock pyproject.toml | $(VENV)/.python
	@echo "Installing the locked packages into $(VENV) (a few hundred MB, once) …"
	@$(pip) --require-hashes --requirement requirements.lock
	@$(pip) --editable .
	@printf '%s\n' "$(CURDIR)" > $(VENV)/.checkout && touch $@

$(VENV)/.installed-dev: requirements-dev.lock pyproject.toml | $(VENV)/.python
	@echo "Installing the locked packages for development into $(VENV) (a few hundred MB, once) …"
	@$(pip) --require-hashes --requirement requirements-dev.lock
	@$(pip) --editable .
	@printf '%s\n' "$(CURDIR)" > $(VENV)/.checkout && touch $(VENV)/.installed $@
