# Every target sets up what it needs by itself: a fresh clone, Python >= 3.11 and make are enough.

PYTHON ?= python3
N ?= 10000
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PYPROJECTS := pyproject.toml client_sdk/pyproject.toml server/pyproject.toml
PIP_INSTALL := $(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo serve test check format simulate torture bench schemas setup clean always

help: ## List the targets
	@echo "Apex Sync: make <target>"
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-8s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: $(STAMP) ## Two devices log offline and sync; the coach sees one history [FILE=export.csv]
	@$(BIN)/python examples/demo.py $(if $(FILE),--file "$(FILE)")

serve: $(STAMP) ## Keep the demo's data served; prints the address and a login
	@$(BIN)/python examples/demo.py --serve

test: $(STAMP) ## Run the tests on all cores; with ARGS, some of them in one process [ARGS="-k sync"]
	@$(BIN)/python -m pytest $(or $(ARGS),--numprocesses=auto --dist=loadfile)

check: $(STAMP) ## Check format, lint, types, import contracts and security, in seconds
	@$(BIN)/ruff format --check --quiet . || { echo "the files above are not formatted: make format" >&2; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/python -m mypy
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/bandit --quiet --configfile pyproject.toml --recursive apex_sync client_sdk server benchmarks examples
	@[ ! -d .github ] || $(BIN)/zizmor --offline --quiet .github

format: $(STAMP) ## Format the code and mend what the linter can mend
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format --quiet .

simulate: $(STAMP) ## Simulated fleets with every fault [SEEDS=2000] [SEED=1 for one] [OUT=file]
	@$(BIN)/python -m tests.simulation $(if $(SEED),--seed $(SEED)) $(if $(SEEDS),--seeds $(SEEDS)) \
		$(if $(FIRST),--first $(FIRST)) $(if $(STEPS),--steps $(STEPS)) $(if $(OUT),--out $(OUT))

torture: $(STAMP) ## Torture real parts with real faults; hours [PARTS="fleet"] [OUT=file]
	@$(BIN)/python -m tests.torture $(if $(OUT),--out $(OUT)) $(PARTS)

bench: $(STAMP) ## Measure against the limit and a naive baseline [N=10000]
	@$(BIN)/python -m benchmarks --workouts $(N)

schemas: $(STAMP) ## Write schemas/ anew from the declarations
	@$(BIN)/python -m schemas

setup: $(STAMP) ## Make .venv; the other targets do so when they need it

clean: ## Remove .venv, caches and builds
	@rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# The stamp names the folder it was made in: a .venv that was copied or moved would run the code of the old folder.
ifneq ($(shell cat $(STAMP) 2>/dev/null),$(CURDIR))
$(STAMP): always
endif

$(STAMP): $(PYPROJECTS)
	@command -v "$(PYTHON)" >/dev/null || { \
		echo "Apex Sync needs Python 3.11 or newer, and there is no $(PYTHON). Try: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Apex Sync needs Python 3.11 or newer, and $(PYTHON) is $$("$(PYTHON)" -V 2>&1). Try: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "$(PYTHON) cannot make virtual environments. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@if [ "$$(cat $@ 2>/dev/null)" = "$(CURDIR)" ]; then echo "bringing $(VENV) up to date"; else \
		echo "setting up $(VENV) (once, about a minute)"; rm -f $@; "$(PYTHON)" -m venv --clear $(VENV); fi
	@$(PIP_INSTALL) "hatchling>=1.27,<2" "editables>=0.5,<1"
	@$(PIP_INSTALL) --no-build-isolation -e ".[yjs,dev]" -e client_sdk -e server
	@printf '%s' "$(CURDIR)" > $@
