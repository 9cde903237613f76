# Each target prepares what it needs by itself; a fresh machine needs Python 3.11+ and make only.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# Where the environment forbids bytecode to be kept, every process compiles the whole package anew, half a second of the
# two that a gateway takes to start; the tests start hundreds of processes.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: setup demo test check format serve bench faults fuzz mutants lock clean help

help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST)

## make setup    prepare the virtual environment from the lock file
setup: $(READY)

$(READY): requirements.lock pyproject.toml
	@echo "Setting up $(VENV), once: installing what requirements.lock names. It takes about half a minute." >&2
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed: make PYTHON=python3.11")'
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(READY)
	@echo "$(VENV) is ready." >&2

## make demo     run the gateway and simulated partners through the whole trip
demo: $(READY)
	$(BIN)/gateway demo

## make serve    run the gateway
serve: $(READY)
	$(BIN)/gateway serve

## make test     run the test suite
test: $(READY)
	$(BIN)/python -m pytest

## make check    format, lint, types, import contracts
check: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

## make format   format the code and apply the safe fixes
format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

## make bench    measure, and write var/bench.json
bench: $(READY)
	$(BIN)/python -m tests.bench

## make faults   the long fault runs (minutes to hours)
faults: $(READY)
	FAULTS=long $(BIN)/python -m pytest -n 0 tests/faults -s

## make fuzz     fuzz every reader and the whole way, an hour each (FUZZ_SECONDS)
fuzz: $(READY)
	$(BIN)/python -m tests.fuzz

## make mutants  put small faults into the pure rooms and see which the tests notice (MUTANTS of them, sample SAMPLE)
MUTANTS ?= 150
SAMPLE ?= 1
mutants: $(READY)
	$(BIN)/python -m tests.mutants $(MUTANTS) $(SAMPLE)

## make lock     renew requirements.lock, and requirements.runtime.lock without the developers' tools
LOCK := compile --quiet --generate-hashes --no-emit-index-url --no-annotate --no-header --python-version 3.11 --universal
lock: $(READY)
	$(PYTHON) -m venv var/lock-venv
	var/lock-venv/bin/python -m pip install --quiet uv
	var/lock-venv/bin/uv pip $(LOCK) --upgrade --extra dev pyproject.toml -o requirements.lock
	var/lock-venv/bin/uv pip $(LOCK) --upgrade --constraint requirements.lock pyproject.toml -o requirements.runtime.lock

clean:
	rm -rf $(VENV) .bench-venv .interop-venv var build dist
