# `make demo` and `make test` need Python 3.11 (or newer) and make; everything else they fetch into .venv themselves.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
UV     := UV_PROJECT_ENVIRONMENT=$(VENV) UV_PYTHON_DOWNLOADS=never $(BIN)/uv

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint types imports spelling check format bench wheel lock clean

help:  ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/' | expand -t 12

setup: $(READY)  ## make .venv with the versions of uv.lock

$(BIN)/uv:
	@test -n "$(PYTHON)" || { echo 'Python 3.11 or newer is needed, and none was found.' >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv

# Compiled beforehand, the libraries load three times as fast.
$(READY): pyproject.toml uv.lock | $(BIN)/uv
	$(UV) sync --frozen --quiet --extra report --compile-bytecode
	@touch $@

demo: $(READY)  ## run a small whole trial through the real program
	$(BIN)/adapter demo

# The tests start the program hundreds of times: it must find itself compiled. They come in the order of conftest.py.
test: $(READY)  ## run every test this machine can run; what is skipped says why
	@tests/install-postgresql
	@tests/install-chromium
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder $(PYTEST)

lint: $(READY)  ## ruff: format and lint
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(READY)  ## pyright, strict
	$(BIN)/pyright

imports: $(READY)  ## import-linter: which room may import which
	$(BIN)/lint-imports

spelling: $(READY)  ## codespell
	$(BIN)/codespell

check: lint types imports spelling  ## everything that needs no test run

format: $(READY)  ## let ruff rewrite what it can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(READY)  ## run the benchmarks (bench/README.md)
	@for script in convert queryable receive intake start; do echo "== $$script"; $(BIN)/python "bench/$$script.py" || exit 1; done

wheel: $(READY)  ## build the wheel into dist/
	$(UV) build --wheel --quiet --out-dir dist
	@ls dist/*.whl

lock: $(READY)  ## resolve uv.lock anew within the bounds of pyproject.toml
	$(UV) lock --upgrade

clean:  ## remove what make made
	rm -rf $(VENV) dist .pytest_cache .ruff_cache .import_linter_cache .hypothesis
