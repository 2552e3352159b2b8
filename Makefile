# make demo    a small, honest Figure 3a, from networks trained here, in a few minutes
# make test    lint and tests
# make fig3a   the full Figure 3a: 25 networks, 1e5 batches; half an hour or more on two cores
# make fig3bc  Figures 3b and 3c: three more architectures, 25 networks each; two hours or more
# make figtime r2 as a function of time in the trial, from the networks of fig3a and fig3bc
# make figS1   Figure S1: the quadratic encoder, 25 networks; half an hour or more

PYTHON ?= python3
PY = .venv/bin/python
DEMO_BATCHES ?= 12000
DEMO = demo/$(DEMO_BATCHES)_batches
FULL = trained_networks/RNN

comma := ,

.PHONY: demo test lint format fig3a fig3bc figS1 figtime tasks setup clean

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

# Trains, decodes and draws 25 networks of one kind: $(call kind,folder in Data,name,flags of train.py)
define kind
	$(PY) train.py --n_task 2 3 6 12 24 --runs 0 1 2 3 4 $(3) --out trained_networks/$(2)
	mkdir -p "Data/$(1)"
	cp trained_networks/$(2)/ensemble_*[0-9a-f].jsonl "Data/$(1)/training_$(2).jsonl"
	$(PY) generalize.py --networks trained_networks/$(2) --every_measure --overwrite \
		--out "Data/$(1)/r_sq_$(2)_CELoss.npz"
endef

fig3a: setup
	$(PY) train.py --n_task 2 3 6 12 24 --runs 0 1 2 3 4 --out $(FULL)
	cp $(FULL)/ensemble_*[0-9a-f].jsonl Data/Fig3a/training.jsonl
	$(PY) generalize.py --networks $(FULL) --every_measure --overwrite \
		--out Data/Fig3a/r_sq_RNN_CELoss.npz
	$(PY) generalize.py --networks $(FULL) --every_measure --overwrite --decoder ridge \
		--out Data/Fig3a/r_sq_RNN_CELoss_ridge.npz
	$(PY) Figures/Fig3a.py
	$(PY) results.py

fig3bc: setup
	$(call kind,Fig3b$(comma)c,NoLeak,--no-leaky)
	$(call kind,Fig3b$(comma)c,LSTM,--network LSTM)
	$(call kind,Fig3b$(comma)c,gpt-2,--network gpt-2)
	$(PY) Figures/Fig3bc.py
	$(PY) results.py

figS1: setup
	$(call kind,FigS1,Quad,--activ_enc Quad)
	$(PY) Figures/FigS1.py
	$(PY) results.py

figtime: setup
	for kind in RNN NoLeak LSTM gpt-2; do \
		$(PY) generalize.py --networks "trained_networks/$$kind/*nTask24*.pth" --every_measure --overwrite \
			--decoder ridge --step 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 \
			--out trained_networks/time/r_sq_$${kind}_CELoss.npz || exit; \
	done
	mkdir -p Data/Time
	cp trained_networks/time/r_sq* Data/Time
	$(PY) Figures/FigTime.py

tasks: setup
	$(PY) tasks.py --plot Figures/Tasks.png

clean:
	rm -rf .venv demo .pytest_cache .ruff_cache
