# Everything sets up its own environment: a machine with Python 3.11 or later and make is enough.

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: demo test test-slow check docs bench clean

demo: .venv/core  ## the main job on real data, step by step
	@$(BIN)/python examples/demo.py

test: .venv/dev  ## the quick tests, doctests and documentation examples
	$(BIN)/python -m pytest

test-slow: .venv/slow  ## tests that take minutes, need the benchmark data, or PyTorch and Spark (with Java)
	$(BIN)/python -m pytest -m slow

check: .venv/dev  ## format, lint, types, and the direction of imports
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_imports.py

docs: .venv/docs  ## the site, in docs/_build/html
	$(BIN)/python docs/cli_page.py
	$(BIN)/python docs/label_model_pictures.py
	$(BIN)/sphinx-build -W --keep-going -q -b html docs docs/_build/html
	@echo "open docs/_build/html/index.html"

bench: .venv/dev  ## the benchmark tables
	$(BIN)/python benchmarks/weak_text.py
	$(BIN)/python benchmarks/labeling.py
	$(BIN)/python benchmarks/suggest.py
	$(BIN)/python benchmarks/label_models.py
	$(BIN)/python benchmarks/label_models.py --gold 50
	$(BIN)/python benchmarks/known_truth.py
	$(BIN)/python benchmarks/label_model_speed.py
	$(BIN)/python benchmarks/speed.py
	$(BIN)/python benchmarks/kb_exact.py
	$(BIN)/python benchmarks/kb_gibbs.py
	$(BIN)/python benchmarks/kb_grounding.py
	$(BIN)/python benchmarks/kb_incremental.py
	$(BIN)/python benchmarks/kb_updates.py
	$(BIN)/python benchmarks/kb_calibration.py
	$(BIN)/python benchmarks/kb_chemical_disease.py

clean:
	rm -rf .venv .cache demo-project docs/_build

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "No Python 3.11 or later was found. Fix: install one, or make PYTHON=/path/to/python"; exit 1; }
	@echo "making an environment in .venv with $$($(PYTHON) --version) (about a minute, once)"
	@$(PYTHON) -m venv .venv || { rm -rf .venv; echo "Fix: install Python's venv module (python3-venv on Debian)"; exit 1; }

.venv/core: .venv/bin/python pyproject.toml
	@$(PIP) -e .
	@touch $@

.venv/dev: .venv/core
	@$(PIP) -e '.[dev]'
	@touch $@

.venv/slow: .venv/dev
	@$(PIP) -e '.[slow]'
	@touch $@

.venv/docs: .venv/core
	@$(PIP) -e '.[docs]'
	@touch $@
