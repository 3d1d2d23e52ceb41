# Each target sets itself up: Python >= 3.11, make and git are all it needs.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed

.PHONY: demo test test-all lint install

install: $(INSTALLED)

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "automl_cl needs Python >= 3.11; try make PYTHON=python3.11")'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	touch $(INSTALLED)

demo: $(INSTALLED)
	$(BIN)/automl-cl search curriculum --data digits --noise 0.4

# What a change needs: one contract per algorithm, and everything else.
test: lint
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not exhaustive"

# Every combination of algorithm, setting and alternative as well, and faults that take minutes.
test-all: test
	$(BIN)/python -m pytest -n 2 --dist load -m "exhaustive and not ray"
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "exhaustive and ray"

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
