# Four commands do everything on a machine with Python 3.11 (venv), pip and make:
#   make demo    the main job on real data that scikit-learn ships
#   make bench   every null model against every peer (an hour; BENCH='--quick' for seconds)
#   make notebooks   lessons to run, in Jupyter
#   make test    every check that needs neither root nor data beside the checkout
PYTHON ?= python3
VENV ?= .venv
# The release the tests run with. Any other: make TORCH='torch==2.9.1' ...
TORCH ?= torch==2.13.0
BIN := $(VENV)/bin
# Keeps the checkout off sys.path: the folder kernels/ must not hide a package of that name.
export PYTHONSAFEPATH := 1

# Options of `bipnet bench`, e.g. make bench BENCH='--sizes 784x64 --cap 5'
BENCH ?=
.PHONY: demo bench notebooks test lint types imports pytest kernels clean
demo: $(VENV)/demo.stamp
	$(BIN)/bipnet demo -o demo --force

bench: $(VENV)/bench.stamp
	$(BIN)/bipnet bench $(BENCH) -o results --force

test: lint types imports pytest

# Opens them in a browser.
notebooks: $(VENV)/notebooks.stamp
	$(BIN)/jupyter lab notebooks

lint: $(VENV)/test.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/test.stamp
	$(BIN)/mypy

imports: $(VENV)/test.stamp
	$(BIN)/lint-imports

# Two test processes: torch's own threads would only get in their way.
pytest: $(VENV)/test.stamp
	OMP_NUM_THREADS=1 $(BIN)/pytest -q -n 2 --dist loadfile

# Every kernel with each index checked, and its body as plain Python: a minute, as .ci/run does it.
kernels: $(VENV)/test.stamp
	NUMBA_BOUNDSCHECK=1 $(BIN)/pytest -q tests/test_kernels.py
	NUMBA_DISABLE_JIT=1 $(BIN)/pytest -q tests/test_kernels.py

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/torch.stamp: | $(BIN)/python
	$(BIN)/pip install --quiet '$(TORCH)'
	touch $@

$(VENV)/demo.stamp: pyproject.toml $(VENV)/torch.stamp
	$(BIN)/pip install --quiet -e '.[experiments]'
	touch $@

$(VENV)/bench.stamp: pyproject.toml | $(BIN)/python
	$(BIN)/pip install --quiet -e '.[bench]'
	touch $@

$(VENV)/notebooks.stamp: pyproject.toml $(VENV)/torch.stamp
	$(BIN)/pip install --quiet -e '.[notebooks]'
	touch $@

$(VENV)/test.stamp: pyproject.toml $(VENV)/torch.stamp
	$(BIN)/pip install --quiet -e '.[test]'
	touch $@ $(VENV)/demo.stamp

clean:
	rm -rf $(VENV) build dist *.egg-info demo results .venv-graph-tool
