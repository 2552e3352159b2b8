# make demo    a small, honest Figure 3a, from networks trained here, in a few minutes
# make test    lint and tests
# make fig3a   the full Figure 3a: 25 networks, 1e5 batches; half an hour or more on two cores

PYTHON ?= python3
PY = .venv/bin/python
DEMO_BATCHES ?= 12000
DEMO = demo/$(DEMO_BATCHES)_batches
FULL = trained_networks/Fig3a

.PHONY: demo test lint format fig3a setup clean

setup: .venv/installed

.venv/installed: requirements.txt
	$(PYTHON) -m venv .venv
	$(PY) -m pip install --quiet -r requirements.txt
	touch $@

demo: setup
	$(PY) train.py --n_task 2 3 6 12 24 --runs 0 1 --n_batch $(DEMO_BATCHES) --out $(DEMO)
	$(PY) generalize.py --networks $(DEMO) --n_fit 3 --every_measure --out $(DEMO)/r_sq_RNN_CELoss.npz
	$(PY) Figures/Fig3a.py $(DEMO)
	cp $(DEMO)/Fig3a.png demo/Fig3a.png
	@echo "Look at demo/Fig3a.png"

test: lint
	$(PY) -m pytest -q

lint: setup
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .

format: setup
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

fig3a: setup
	$(PY) train.py --n_task 2 3 6 12 24 --runs 0 1 2 3 4 --n_batch 100000 --out $(FULL)
	cp $(FULL)/ensemble_*[0-9a-f].jsonl Data/Fig3a/training.jsonl
	$(PY) generalize.py --networks $(FULL) --every_measure --overwrite \
		--out Data/Fig3a/r_sq_RNN_CELoss.npz
	$(PY) generalize.py --networks $(FULL) --every_measure --overwrite --decoder ridge \
		--out Data/Fig3a/r_sq_RNN_CELoss_ridge.npz
	$(PY) Figures/Fig3a.py
	$(PY) results.py

clean:
	rm -rf .venv demo .pytest_cache .ruff_cache
