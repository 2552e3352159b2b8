# make demo     a small, honest Figure 3a, from networks trained here, in a few minutes
# make test     lint and tests
# make figures  every figure redrawn from Data/, REPORT.md and parts of README.md and docs/ written anew
# The figures at full scale, trainings and all: sweep.py, see docs/cluster.md

PYTHON ?= python3
PY = .venv/bin/python
DEMO_BATCHES ?= 12000
DEMO = demo/$(DEMO_BATCHES)_batches

.PHONY: demo test lint format figures tasks setup clean

setup: .venv/installed

.venv/installed: requirements.txt requirements.lock
	test -x $(PY) || $(PYTHON) -m venv .venv
	$(PY) -m pip install --quiet -r requirements.lock || { \
		echo "requirements.lock does not fit this Python or machine; installing requirements.txt"; \
		$(PY) -m pip install --quiet -r requirements.txt; }
	touch $@

demo: setup
	$(PY) train.py --n_task 2 3 6 12 24 --runs 0 1 --n_batch $(DEMO_BATCHES) --out $(DEMO)
	$(PY) train.py --n_task 2 3 6 12 24 --runs 0 1 --network encoder-mean --out $(DEMO)/control
	$(PY) generalize.py --networks $(DEMO) --n_fit 3 --out $(DEMO)/results.csv
	$(PY) generalize.py --networks $(DEMO)/control --n_fit 3 --out $(DEMO)/results.csv
	$(PY) Figures/Fig3a.py $(DEMO) demo
	@echo "Look at demo/Fig3a.png"

test: lint
	$(PY) -m pytest -q -n auto --dist loadfile

lint: setup
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy

format: setup
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

figures: setup
	$(PY) Figures/all.py
	$(PY) report.py

tasks: setup
	$(PY) tasks.py --plot Figures/Tasks.png

clean:
	rm -rf .venv demo .pytest_cache .ruff_cache .mypy_cache
