# Everything this project needs is set up, run and checked from here: `make help` lists it.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
PY := .venv/bin/python
UV := $(or $(shell command -v uv 2>/dev/null),.tools/bin/uv)
N ?= 20000

# Without these uv would download a Python of its own, or stumble over a company proxy's certificate.
export UV_SYSTEM_CERTS := 1
export UV_PYTHON_DOWNLOADS := never
export UV_PYTHON_PREFERENCE := only-system

COMPILE := pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-annotate --no-header --quiet

.PHONY: help setup demo test test-slow lint bench bench-pdf bench-usage lock clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

setup: .venv/.synced ## Make .venv and install the locked packages (a minute the first time)

.venv/.synced: requirements/dev.lock | $(UV)
	@echo "Installing the packages of requirements/dev.lock into .venv: about a minute the first time, seconds later."
	@test -x $(PY) || $(UV) venv --quiet --python '>=3.11,<3.13' .venv
	@$(UV) pip sync --quiet --python $(PY) --require-hashes requirements/dev.lock
	@touch $@
	@echo "Done: .venv is ready."

.tools/bin/uv:
	@echo "Fetching uv, the package installer, into .tools: a few seconds."
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check --root-user-action ignore --target .tools uv

demo: setup ## Build a demonstration company and serve it on 127.0.0.1 (SERVE=0: build it and stop)
	@echo "Building the demonstration data: a minute or two the first time$(if $(filter 0,$(SERVE)),.,; then serving until Ctrl-C.)"
	@DEMO=1 $(PY) manage.py demo $(if $(filter 0,$(SERVE)),--no-serve)

test: setup ## Run the tests, slow ones left out (seven to eight minutes)
	@echo "Running the tests without the slow ones, two at a time: seven to eight minutes."
	@$(PY) -m pytest -q -n 2 -m "not slow" $(ARGS)

test-slow: setup ## Run the slow tests: crashes, races, whole months (a quarter of an hour)
	@echo "Running the slow tests: a quarter of an hour or so."
	@$(PY) -m pytest -q -n 2 -m slow $(ARGS); code=$$?; test $$code -eq 5 && echo "There are no slow tests yet." || exit $$code

lint: setup ## Check style, types, import rules, templates and missing migrations (a minute)
	@echo "Checking style, import rules, templates and migrations, then types: about a minute."
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	.venv/bin/lint-imports
	@git ls-files -z --cached --others --exclude-standard 'templates/*.html' '*/templates/*.html' | xargs -0 -r .venv/bin/djade --check --target-version 5.2
	$(PY) manage.py makemigrations --check --dry-run
	EMBEDDED_START=0 $(PY) -m mypy .

bench: setup ## Time the month-start run over N accounts (default 20000; a few minutes)
	@echo "Timing the month-start run over $(N) accounts: a few minutes."
	@DEMO=1 $(PY) manage.py bench --accounts $(N)

bench-pdf: setup ## Time the making of invoice PDFs (a minute)
	@echo "Timing the making of invoice PDFs: about a minute."
	@DEMO=1 $(PY) manage.py bench_pdf

bench-usage: setup ## Time usage deductions in batches, beside plain SQL (two minutes)
	@echo "Timing usage deductions: about two minutes."
	@DEMO=1 $(PY) manage.py bench_usage

lock: | $(UV) ## Renew the locks after a change of pyproject.toml (seconds; UPGRADE=1 takes the newest releases)
	@echo "Resolving pyproject.toml into requirements/*.lock: some seconds."
	@$(UV) $(COMPILE) $(if $(UPGRADE),--upgrade) --output-file requirements/base.lock
	@$(UV) $(COMPILE) $(if $(UPGRADE),--upgrade) --group embedded --group dev --output-file requirements/dev.lock
	@! grep -nE '://|^--(index|extra|find)' requirements/*.lock || { echo "A lock names an address; it must not."; exit 1; }

clean: ## Remove .venv, .tools and caches; the data under var/ stays
	@echo "Removing .venv, .tools and caches. Data under var/ stays: delete that by hand if you mean it."
	@rm -rf .venv .tools .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
	@find . -name __pycache__ -type d -not -path './var/*' -prune -exec rm -rf {} +
