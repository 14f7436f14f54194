# Each target sets up what it needs, in one environment: $(VENV). Python 3.11 or later, git and make are enough.
#
#   make check    the eleven checks on config/, offline: installs the package alone
#   make demo     a newcomer's first minute: the stack up, the checks live, reloads under load, down
#   make test     the whole test suite
#   make lint     style, types, layers, workflows
#   make coverage the whole test suite, which lines and branches it does not reach, and whether the core is complete
#   make ci       the stages of the validate-config workflow, in parallel; INTEGRATION=1 adds the embedded stack
#   make docs     the documentation as a site, in site/
#   make dist     wheel and source distribution, tried in an empty environment on every Python that is here
#   make hooks    the hooks that look at each commit, from now on
#   make review   what the branch would change, as a reviewer reads it
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
STAGES := ci-yaml ci-quality ci-schema ci-secrets ci-docs ci-generated ci-comprehensive
REPORT := build/ci
COMPLETE := pytest_aibackend/sources/*,pytest_aibackend/rules/*,pytest_aibackend/litellm/*,pytest_aibackend/deploy/*
SOAK_ROUNDS ?= 1
# In seconds: a test that hangs fails, and says where.
TEST_WITHIN := 300
SOAK_WITHIN := 3600
ARGS ?=

# What is installed must come from here, whatever the caller's shell has activated.
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV

.PHONY: check demo test lint coverage ci $(STAGES) ci-integration docs dist hooks review oracle bench soak clean help

check: $(VENV)/.package
	@$(BIN)/pytest checks/ $(ARGS)

# Works on a scratch copy, and takes down what it started, also when something fails or on Ctrl-C.
demo: $(VENV)/.stack
	@$(BIN)/python -m pytest_aibackend.stack.demo $(STACK)

# The tests with real services wait a good deal: three files at a time, each with services of its own.
test: $(VENV)/.dev
	@status=0; \
	$(BIN)/pytest tests --ignore=tests/stack -n 2 --timeout=$(TEST_WITHIN) $(ARGS) || status=$$?; \
	$(BIN)/pytest tests/stack -n 3 --dist loadfile --timeout=$(TEST_WITHIN) $(ARGS) || status=$$?; \
	exit $$status

# Under coverage a test may take twice as long. Processes that the tests start are measured, too; what a killed one
# has half written is no data.
coverage: $(VENV)/.dev
	@rm -f .coverage .coverage.*
	@status=0; \
	$(BIN)/coverage run -m pytest tests --ignore=tests/stack -n 2 --timeout=$(SOAK_WITHIN) $(ARGS) || status=$$?; \
	$(BIN)/coverage run -m pytest tests/stack -n 2 --dist loadfile --timeout=$(SOAK_WITHIN) $(ARGS) || status=$$?; \
	$(BIN)/python -W "ignore:Data file" -W "ignore:Couldn't use data file" -m coverage combine --quiet || status=$$?; \
	rm -f .coverage.*; \
	$(BIN)/coverage report; \
	echo; echo "What follows is to be complete: a test, or '# pragma: no cover - reason' where there can be none."; \
	$(BIN)/coverage report --include='$(COMPLETE)' --fail-under=100 || status=$$?; \
	exit $$status

lint: $(VENV)/.dev
	$(ANNOTATE)
	@status=0; \
	$(BIN)/ruff check . || status=1; \
	$(BIN)/ruff format --check . || status=1; \
	$(BIN)/mypy || status=1; \
	$(BIN)/mypy scripts || status=1; \
	$(BIN)/lint-imports || status=1; \
	$(BIN)/zizmor --quiet --offline --persona auditor $(ZIZMOR_FORMAT) .github || status=1; \
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.y*ml || status=1; \
	$(BIN)/check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml || status=1; \
	exit $$status

# Mermaid, which draws the diagrams, comes with npm where that is; without it they are shown as text.
docs: $(VENV)/.tools
	@! command -v npm >/dev/null || [ -d tests/mermaid/node_modules ] || \
		npm install --prefix tests/mermaid --no-audit --no-fund --ignore-scripts --silent || true
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet $(ARGS)
	@[ -d tests/mermaid/node_modules ] || echo "npm could not fetch Mermaid: the diagrams are shown as text"
	@echo "site/index.html"

hooks: $(VENV)/.dev
	@$(BIN)/pre-commit install

# Titles and descriptions come through the environment (PR_TITLE, PR_BODY): no shell reads them.
review: $(VENV)/.package
	@$(BIN)/python scripts/review-pull-request.py $(ARGS)

oracle: $(VENV)/.dev
	@$(BIN)/python -m tests.oracle.record $(ARGS)

bench: $(VENV)/.dev
	@$(BIN)/python benchmarks/run.py $(ARGS)

soak: export AIBACKEND_SOAK = 1
soak: $(VENV)/.dev
	@status=0; \
	$(BIN)/pytest tests --ignore=tests/stack -n 2 --timeout=$(SOAK_WITHIN) $(ARGS) || status=$$?; \
	for round in $$(seq $(SOAK_ROUNDS)); do \
		echo "soak: round $$round of $(SOAK_ROUNDS)"; \
		$(BIN)/pytest tests/stack -n 2 --dist loadfile --timeout=$(SOAK_WITHIN) $(ARGS) || status=$$?; \
	done; \
	exit $$status

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis build dist site

help:
	@sed -n 's/^#   make/make/p' $(firstword $(MAKEFILE_LIST))

# -- the stages of .github/workflows/validate-config.yml, one target each: docs/ci.md

# On GitHub, what is found stands beside the line it is about.
ifdef GITHUB_ACTIONS
export RUFF_OUTPUT_FORMAT := github
ANNOTATE = @echo "::add-matcher::.github/findings-matcher.json"
LINT_FORMAT := --format github
ZIZMOR_FORMAT := --format github
endif

# The whole graph, in parallel where it allows; INTEGRATION=1 adds the stage that starts the embedded stack.
ci: $(VENV)/.dev
	@$(MAKE) --no-print-directory --keep-going --jobs=4 $(if $(filter output-sync,$(.FEATURES)),--output-sync=target) \
		GRAPH=1 $(STAGES) $(if $(INTEGRATION),ci-integration)
	@echo "ci: every stage passed"

ifdef GRAPH
ci-quality ci-schema ci-secrets: ci-yaml
ci-docs ci-generated: ci-schema
ci-integration: ci-generated
ci-comprehensive: ci-yaml ci-schema
endif

ci-yaml: $(VENV)/.tools
	@echo "== stage 1: YAML syntax"
	$(ANNOTATE)
	@status=0; \
	git ls-files -z '*.yaml' '*.yml' | xargs -0 $(BIN)/python scripts/check-yaml.py || status=1; \
	$(BIN)/pytest checks/test_01_yaml_syntax.py || status=1; \
	exit $$status

ci-quality:
	@echo "== stage 2: code quality"
	@$(MAKE) --no-print-directory lint

ci-schema: $(VENV)/.tools
	@echo "== stage 3: schemas"
	$(ANNOTATE)
	@status=0; \
	$(BIN)/pytest checks/test_02_provider_schema.py checks/test_03_model_mappings_schema.py \
		checks/test_04_ports_schema.py || status=1; \
	$(BIN)/aibackend lint $(LINT_FORMAT) config/litellm-unified.yaml || status=1; \
	exit $$status

ci-secrets: $(VENV)/.tools
	@echo "== stage 4: secrets"
	$(ANNOTATE)
	@$(BIN)/python scripts/check-secrets.py

ci-docs: $(VENV)/.tools
	@echo "== stage 5: documentation in step"
	$(ANNOTATE)
	@$(BIN)/python scripts/check-docs.py

ci-generated: $(VENV)/.tools
	@echo "== stage 6: generated configuration"
	$(ANNOTATE)
	@$(BIN)/pytest checks/test_09_generated_config.py
	@$(BIN)/aibackend generate --check

# A copy, so that a stack that is up is left alone; what was started is taken down, also when something fails.
ci-integration: $(VENV)/.stack
	@echo "== stage 7: integration"
	$(ANNOTATE)
	@scratch=$$(mktemp -d); trap 'rm -rf "$$scratch"' EXIT; cp -r $(STACK) "$$scratch/embedded"; \
	export LITELLM_MASTER_KEY="sk-$$($(BIN)/python -c 'import secrets; print(secrets.token_hex(16))')"; \
	$(BIN)/aibackend up --config "$$scratch/embedded" --detach; \
	trap '$(BIN)/aibackend down --config "$$scratch/embedded"; rm -rf "$$scratch"' EXIT; \
	$(BIN)/aibackend check --config "$$scratch/embedded" --live

# `aibackend check` says 1 for any check that failed; whether that stops us is a matter of which.
ci-comprehensive: $(VENV)/.tools
	@echo "== stage 8: the eleven checks"
	$(ANNOTATE)
	@mkdir -p $(REPORT)
	@$(BIN)/aibackend check --json --junitxml=$(REPORT)/checks.xml >$(REPORT)/checks.json || [ $$? -eq 1 ]
	@$(BIN)/python scripts/summarize-checks.py $(REPORT)/checks.json

# -- the release

dist: $(VENV)/.tools
	@rm -rf dist
	@$(BIN)/python -m build --no-isolation --outdir dist
	@$(BIN)/twine check --strict dist/*
	@$(BIN)/python scripts/try-wheel.py dist/*.whl

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
$(VENV)/dev.txt: $(VENV)/.made $(SOURCES)
	@$(BIN)/python -c 'import tomllib; \
		print(*tomllib.load(open("pyproject.toml", "rb"))["dependency-groups"]["dev"], sep="\n")' >$@

$(VENV)/.tools: $(VENV)/dev.txt
	@echo "setting up $(VENV): the package and the tools"
	@$(INSTALL) --editable . --requirement $(VENV)/dev.txt
	@touch $(VENV)/.package $@

$(VENV)/.dev: $(VENV)/dev.txt
	@echo "setting up $(VENV): the package, the stack and the tools (the first time takes a minute or two)"
	@$(INSTALL) --editable '.[stack]' --requirement $(VENV)/dev.txt
	@touch $(VENV)/.package $(VENV)/.stack $(VENV)/.tools $@
