# The project's commands. `make demo` and `make test` need nothing before them but
# Python >= 3.10 and a C++ compiler: they make their own environment in .venv.
#
#   make PYTHON=/path/to/python3.11 demo     use this Python
#   make demo ARGS=--fast                    more arguments for the pipeline
#   make test ARGS='tests/ops -k sinkhorn'   more arguments for pytest

VENV := .venv/bin
PYTHON ?=
WORKERS ?= 2
ARGS ?=
PIPELINE ?= configs/exits/pipeline_synthetic.py

.DEFAULT_GOAL := help
.PHONY: help env demo test test-all lint format doctor clean clean-env

help:
	@echo 'make demo       set up .venv, then extreme points -> masks -> trained SOLOv2'
	@echo '                on synthetic scenes'
	@echo 'make test       set up .venv, then ruff and the tests;  make test-all also runs'
	@echo '                those that take minutes'
	@echo 'make env        set up .venv only'
	@echo 'make docs       build the documentation into docs/_build/html'
	@echo 'make doctor     print versions and what is wrong with the environment'
	@echo 'make lint       ruff check and format check;  make format fixes both'
	@echo 'make clean      remove caches and build folders;  make clean-env also .venv'

env:
	@PYTHON='$(PYTHON)' sh tools/setup_env.sh

demo: env
	$(VENV)/python tools/run_pipeline.py $(PIPELINE) $(ARGS)

# One thread per worker: on few cores more threads only wait for each other. Whole files
# to a worker: the tests of a file share its fixtures.
PYTEST = OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 $(VENV)/python -m pytest \
	-n $(WORKERS) --dist loadfile --no-loadscope-reorder

test: lint
	$(PYTEST) $(ARGS)

# Every marker, those that the default suite leaves out included.
test-all: lint
	$(PYTEST) -m '' $(ARGS)

lint: env
	$(VENV)/ruff check .
	$(VENV)/ruff format --check .

format: env
	$(VENV)/ruff check --fix .
	$(VENV)/ruff format .

doctor: env
	$(VENV)/python -m mmwsis.doctor

# Warnings are errors; -E reads every page anew, or those of unchanged pages would be
# lost. Links between pages and into files are checked without a network;
# the addresses of other sites by `make docs-linkcheck`, which needs one.
SPHINX = $(VENV)/python -m sphinx -E -W --keep-going -q -d docs/_build/doctrees -c docs .

.PHONY: docs docs-linkcheck docs-requirements
docs-requirements: env
	$(VENV)/python -m pip install -q -r requirements/docs.txt
	rm -rf docs/api/generated

docs: docs-requirements
	$(SPHINX) -b html docs/_build/html
	@echo 'Open docs/_build/html/index.html'

docs-linkcheck: docs-requirements
	$(SPHINX) -b linkcheck docs/_build/linkcheck

# work_dirs and data are never removed: they are the user's.
clean:
	rm -rf build dist *.egg-info .pytest_cache .ruff_cache .hypothesis
	rm -rf docs/_build docs/api/generated
	find mmwsis tools tests configs benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

clean-env: clean
	rm -rf .venv mmwsis/.mim
