# Two commands do everything on a fresh machine: make demo, make test. Both make their own environment first.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# One BLAS thread a worker: workers with two threads each would fight over two cores. The third one works while others
# wait for a browser, a killed process or a clock.
TEST_WORKERS ?= 3

.PHONY: demo test soak lint types imports check torchfree vot bench benchmarks docs clean

demo: $(READY)
	$(BIN)/limpet demo --out demo-result --overwrite

# Workers take whole files, the slow ones first: tests/work_units.py.
# A worker that dies ends the run: the others would wait for ever for the one that takes its place.
test: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(TEST_WORKERS) --dist loadfile --max-worker-restart 0

# What takes too long for every change: each kind of file damaged at every byte, bit and field, long runs, and 100 kills
# each of track, project propagate, batch and serve; about two hours.
soak: $(READY)
	LIMPET_SOAK=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest -s tests/damage
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/soak.py
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/soak.py --overlay --frames 20000
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/kill_and_resume.py --preload --frames 40 --max-size 48 --model deaot-nano
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/kill_project.py
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/kill_batch.py --frames 10 --max-size 48
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/kill_serve.py

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy

imports: $(READY)
	$(BIN)/lint-imports

check: lint types imports test

# An exported tracker in an environment without torch; it needs a package index.
torchfree: $(READY)
	$(BIN)/python scripts/torch_free.py

# VOT's own toolkit runs limpet on clips of our generator; it needs a package index, 610 MB and about five minutes.
vot: $(READY)
	[ -x .venv-vot/bin/vot ] || scripts/vot_environment.sh
	LIMPET_VOT_PYTHON=.venv-vot/bin/python $(BIN)/python -m pytest tests/evaluation/vot/test_toolkit.py

bench: $(READY)
	$(BIN)/limpet bench

# Every figure of docs/benchmarks.md; about seven minutes on a machine that does nothing else.
benchmarks: $(READY)
	$(BIN)/python benchmarks/all.py

# The API reference in docs/api, from the docstrings.
docs: $(READY)
	$(BIN)/python scripts/api_reference.py docs/api

# The constraints name one torch; without them pip would fetch a CUDA build of several gigabytes.
$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch --editable '.[dev]'
	touch $(READY)

clean:
	rm -rf $(VENV) demo-result docs/api build dist *.egg-info
