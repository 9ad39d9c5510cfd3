# Two commands from a fresh checkout: `make demo`, `make test`. Neither needs the other.

PYTHON := .venv/bin/python
PYTEST := $(PYTHON) -m pytest
# each has a Spark session and a Cassandra node of its own
SHARDS ?= 2

.DEFAULT_GOAL := help
.PHONY: help setup demo demo-reset test test-unit test-rules test-long soak bench bench-join bench-online bench-refill lint format lock build stop clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup:  ## install what is missing: .venv, Java 17, the jars of Delta and Cassandra
	@python3 scripts/bootstrap.py

demo: setup  ## run the main job on real data and print the evidence
	@$(PYTHON) scripts/demo.py

demo-reset:  ## forget the demo's state, so that it can be played again
	@if [ -x $(PYTHON) ]; then $(PYTHON) -m skewless dev cassandra stop; fi
	@rm -rf .skewless/demo

test: setup  ## every test but tests/long, in two shards: unit, Spark, real Cassandra, real browser, end to end
	@python3 scripts/setup_browser.py
	@$(PYTEST) -m "not release" -n $(SHARDS) --dist loadfile --no-loadscope-reorder

test-unit: setup  ## the tests that need neither a JVM nor a node
	@$(PYTEST) tests/unit

test-rules: setup  ## the rules of the point-in-time join, by every engine
	@EVERY_ENGINE=1 $(PYTEST) tests/spark/test_point_in_time_rules.py

test-long: setup  ## what takes too long for every change: a project killed at every failpoint, each stage as a job
	@$(PYTEST) -m release
	@$(PYTEST) tests/long

soak: setup  ## lives of chance against the rule: make soak SECONDS=600 SEED=7
	@SOAK_SECONDS=$(or $(SECONDS),600) SOAK_SEED=$(or $(SEED),$(shell date +%s)) \
		$(PYTEST) tests/flows/test_soak.py -o log_cli=true --log-cli-level=INFO

bench: setup  ## materialization over its floor, 10 million events: about 10 minutes
	@$(PYTHON) scripts/bench_materialize.py

bench-join: setup  ## point-in-time joins over their floor and beside other stores: make bench-join ARGS="--quick --json"
	@$(PYTHON) scripts/bench_point_in_time.py $(ARGS)

bench-online: setup  ## the online store beside the raw driver and Feast, one node: make bench-online ARGS="--quick --json"
	@$(PYTHON) scripts/bench_online.py $(ARGS)

bench-refill: setup  ## a node that lost everything, refilled from Delta: make bench-refill ARGS="--json"
	@$(PYTHON) scripts/bench_refill.py $(ARGS)

lint: setup  ## style, types and walls
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports

format: setup  ## put the code into its one format
	@.venv/bin/ruff check --fix .
	@.venv/bin/ruff format .

lock:  ## resolve the locks anew, hashes of every platform and Python included
	@python3 scripts/lock.py

build: setup  ## the wheel and the source distribution, into dist/
	@$(PYTHON) -m build --no-isolation

stop: setup  ## end the local Cassandra node; its data stay
	@.venv/bin/skewless dev cassandra stop

clean:  ## remove what builds and tests leave behind; never .venv, never state
	@rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache *.egg-info
	@find . -name __pycache__ -type d -not -path './.venv/*' -prune -exec rm -rf {} +
