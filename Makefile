# `make run` and `make test` set everything up on a fresh machine with Python and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
RUNS ?= runs

.DEFAULT_GOAL := help
.PHONY: help run test lint types check bench clean

help: ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "aiga needs Python 3.11 or newer: make PYTHON=python3.11 ..."; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

run: $(STAMP) ## the default experiment: POET on Box2D, five minutes
	$(BIN)/aiga run plugins.toml --runs $(RUNS)

test: $(STAMP) ## all tests
	$(BIN)/python -m pytest -n 2

lint: $(STAMP) ## ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP) ## mypy, strict
	$(BIN)/mypy

check: test lint types ## what .ci/run does

bench: $(STAMP) ## every benchmark, bounded to a minute each
	for script in benchmarks/[a-z]*.py; do \
	  case $$script in benchmarks/report.py) continue;; esac; \
	  $(BIN)/python $$script --quick || exit 1; \
	done

clean: ## the virtual environment and caches; runs stay
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache
