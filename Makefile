# Everything happens in .venv: nothing has to be installed first but Python 3.11 or newer.
PYTHON ?= python3
VENV ?= .venv
PYTEST_ARGS ?= -q -n auto
DEMO_ARGS ?=
EXTRAS ?=

BIN := $(VENV)/bin
KERNELS := $(wildcard kernels/c/*.[ch]) kernels/c/extensions.py

.PHONY: demo test lint sanitize tutorials clean

demo: $(VENV)/.demo
	$(BIN)/etude compare lenet5 --data digits $(DEMO_ARGS)

test: $(VENV)/.test
	$(BIN)/python -m pytest $(PYTEST_ARGS)

lint: $(VENV)/.test
	$(BIN)/python -m ruff check .
	$(BIN)/python -m mypy

# The C kernels once more, with AddressSanitizer and UndefinedBehaviorSanitizer.
sanitize: $(VENV)/.test
	$(BIN)/python tests/sanitized.py $(PYTEST_ARGS) tests/test_conformance.py tests/test_fuzz.py \
	    tests/test_archive_faults.py -k "fuzz or c] or saved"

# The chapters as students get them: solutions taken out, as scripts and as notebooks.
tutorials: $(VENV)/.test
	$(BIN)/python tutorials/check.py --student runs/tutorials --notebook runs/tutorials

clean:
	rm -rf $(VENV) build dist htmlcov *.egg-info .coverage .*_cache .benchmarks .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# One stamp for each set of extras, so that the second run does not ask pip again. EXTRAS=,cudatest
# adds what compiles CUDA's kernels.
$(VENV)/.demo $(VENV)/.test: $(VENV)/.%: pyproject.toml setup.py $(KERNELS) | $(BIN)/python
	$(BIN)/python -m pip install -q -e ".[$*$(EXTRAS)]"
	touch $@

# A half-made environment is removed, or the next `make` would take it for a whole one.
$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "etude needs Python 3.11 or newer: make PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }
