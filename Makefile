# make demo   watch a made live face for 20 seconds    make test   run the tests
# make setup  set up everything                        make lint   style, types, import rule
SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LIVE := $(VENV)/.live
DEV := $(VENV)/.dev
# Setuptools warns at length about folders named like their package; there are none.
INSTALL := PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test setup lint format clean typing

demo: $(LIVE)
	$(BIN)/magnifyme demo

test: $(DEV)
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal $(PYTEST)

setup: $(DEV)
	$(BIN)/magnifyme doctor

lint: $(DEV) typing
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy -p magnifyme
	$(BIN)/mypy tests
	$(BIN)/python -m pytest -q tests/test_architecture.py

format: $(DEV)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Static tools do not follow an editable install of folders that are named otherwise than
# their packages: links show them the packages as they are imported.
typing:
	@mkdir -p .typing/magnifyme
	@for room in cli stream magnify models train export; do ln -sfn ../../$$room .typing/magnifyme/$$room; done

$(VENV)/pyvenv.cfg:
	@$(PYTHON) -c 'import sys; v = sys.version_info; v >= (3, 11) or sys.exit("MagnifyMe needs Python 3.11 or newer, this is %d.%d: make PYTHON=python3.12 ..." % v[:2])'
	$(PYTHON) -m venv $(VENV)

# The live path: what the demo and `magnifyme watch` need, without PyTorch.
$(LIVE): $(VENV)/pyvenv.cfg pyproject.toml constraints.txt
	@echo "Installing MagnifyMe into $(VENV) (once; a few minutes on a slow line) ..."
	$(INSTALL) --editable .
	@$(BIN)/python -m magnifyme.cli.system
	@touch $@

$(DEV): $(LIVE)
	@echo "Installing what training and the tests need (once) ..."
	$(INSTALL) --editable '.[train,dev]'
	@touch $@

clean:
	rm -rf $(VENV) .typing build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
