# `make book` and `make test` work from a fresh clone with nothing but Python 3.11, 3.12 or 3.13 and make.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help install book main-job live live-ahead html pdf serve test test-slow lint bench bench-against world world-check world-trial sweep \
        sweep-status table row \
        verify reproduce data zero-shot dry-run cache readme crate clean

PYTHON ?= python3
SCALE ?= mini
DEVICE ?= cpu
NAME ?= all
METHOD ?= gift
FILE ?=
ORDER ?= I
METHODS ?= finetune,gift
WORLD ?= 1
LIVE ?= yes
JOBS ?= 2
PORT ?= 8000
N ?= 3
REV ?= main
PAIRS ?= 9
FRESH ?=
SEEDS ?=

# What a caller sets is text, whatever signs are in it: make does not expand it, and recipes read it from the environment
# in quotes ("$$NAME"), so that no shell takes it for a command.
SETTINGS := PYTHON SCALE DEVICE NAME METHOD FILE ORDER METHODS WORLD LIVE JOBS PORT N REV PAIRS FRESH SEEDS
$(foreach s,$(SETTINGS),$(eval override $(s) := $$(value $(s))))
export $(SETTINGS)

VENV := .venv
BIN := $(VENV)/bin
PY := $(BIN)/python
# Runs lock themselves, so a batch that was killed goes on by the same command, without an --unlock. Records are
# whole or not there at all, so that none need be removed with a job that dies after writing one (--keep-incomplete).
BATCH := --cores="$$JOBS" --keep-going --keep-incomplete --rerun-incomplete --nolock
# The environment is made anew when these files change, and only then.
PINS := requirements.txt env/requirements.lock pyproject.toml
STAMP := $(VENV)/.installed-$(shell cat $(PINS) | cksum | cut -d' ' -f1)

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'
	@echo
	@echo "  settings: SCALE=$$SCALE DEVICE=$$DEVICE NAME=$$NAME JOBS=$$JOBS PORT=$$PORT N=$$N SEEDS=$$SEEDS"

install: $(STAMP) ## make the virtual environment .venv from the pins

$(STAMP):
	@"$$PYTHON" -c 'import sys; sys.exit(0 if (3, 11, 5) <= sys.version_info < (3, 14) else "Python 3.11.5 to 3.13 is needed: make PYTHON=python3.12 ...")'
	@test -x $(PY) || { echo "Making $(VENV)"; "$$PYTHON" -m venv $(VENV); }
	@echo "Installing the pinned packages into $(VENV) (a minute or two)"
	$(PY) -m pip install --disable-pip-version-check --require-hashes -r env/requirements.lock
	$(PY) -m pip install --disable-pip-version-check --no-deps --no-build-isolation -e .
	@rm -f $(VENV)/.installed-*
	@touch $@

# While GIFT trains on one core, the other one has time for what the page that draws needs beside it.
book: install ## run GIFT on the scale model, compare it with its record, then build the book
	@$(MAKE) --no-print-directory -j2 main-job live-ahead
	@$(MAKE) --no-print-directory html

main-job: install ## the run that the experiment page shows, through papermill
	@mkdir -p build/main-job
	OMP_NUM_THREADS=1 $(PY) -m gift_lib.runs.execute --log-output --no-progress-bar --cwd notebooks -p results "$$PWD/build/main-job" \
	  -p keep_models True \
	  notebooks/experiment.ipynb build/main-job/experiment.ipynb
	$(PY) -m gift_lib.runs.verify --adopt build/main-job

live: install ## the networks of the page that draws, for a browser, with CLIP after METHODS=finetune,gift (kept until something changes)
	@if [ "$$LIVE" = no ]; then echo "LIVE=no: the page that draws stays as it was."; \
	elif $(PY) env/onnxruntime_web.py build/onnxruntime-web; then OMP_NUM_THREADS=1 $(PY) -m gift_lib.live --methods="$$METHODS"; \
	else echo "The page that draws will say what it lacks; make live tries again."; fi

live-ahead: override METHODS := finetune
live-ahead: live

html: live ## build the book, strictly, into _build/html
	rm -rf _build/html _build/.doctrees
	OMP_NUM_THREADS=1 $(PY) book/_ext/execute_ahead.py --jobs="$$JOBS"
	OMP_NUM_THREADS=1 $(BIN)/jupyter-book build . --toc book/_toc.yml --all -W --keep-going -n
	@echo "The book is in _build/html/index.html; make serve shows it on http://localhost:$$PORT"

pdf: html ## the book as one file, _build/gift-book.pdf (needs Chromium)
	OMP_NUM_THREADS=1 $(BIN)/jupyter-book build . --toc book/_toc.yml --all -n --builder singlehtml --path-output _build/single
	$(PY) book/_ext/print_pdf.py _build/single/_build/singlehtml _build/gift-book.pdf

serve: ## show the built book on http://localhost:8000 (PORT=...)
	@test -f _build/html/index.html || { echo "There is no book yet: make book"; exit 1; }
	"$$PYTHON" -m http.server "$$PORT" --bind 127.0.0.1 --directory _build/html

test: install ## the tests, without the slow ones, files side by side on JOBS=2 processes
	OMP_NUM_THREADS=1 $(PY) -m pytest --durations=10 --numprocesses="$$JOBS" --dist=loadscope

test-slow: install ## the slow tests: every page in a browser, full-size architectures, clusters
	$(PY) -m pytest -m slow --durations=20 -rs

lint: install ## ruff's checks and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

bench: install ## the benchmarks: ours against the plain version (DEVICE=cuda on a GPU)
	$(PY) -m tests.benchmarks --device="$$DEVICE"

bench-against: install ## this tree against an older one, in turns, by processor time: REV=25e4bc6 (PAIRS=9)
	OMP_NUM_THREADS=1 $(PY) -m tests.benchmarks.against --pairs="$$PAIRS" -- "$$REV"

world: install ## train the scale model's CLIP and diffusion model from nothing (DEVICE=cuda on a GPU)
	$(PY) -m gift_lib.world make --device="$$DEVICE"

world-check: install ## whether the scale model is hard enough, and honest: WORLD=1 or 2
	$(PY) -m gift_lib.world check --world="$$WORLD"

world-trial: install ## calibrate: the reference rows of a draft of the world, logged: FILE=trial.json, or a trial of the log
	@test -n "$$FILE" || { echo "Give the file: make world-trial FILE=trial.json"; exit 2; }
	$(PY) -m gift_lib.world trial "$$FILE"

sweep: install ## a batch of runs, or the rest of it: NAME=ablation-loss SCALE=mini JOBS=2; SEEDS=0-9 for other seeds
	$(BIN)/snakemake $(BATCH) --config "name=$$NAME" "scale=$$SCALE" "device=$$DEVICE" "seeds=$$SEEDS"

table: install ## the table of a batch, of the records that it has so far: NAME=mine.yml SCALE=mini
	$(PY) -m gift_lib.book "$$NAME" --scale="$$SCALE"

row: install ## a method of your own beside the table's rows: FILE=my_method.py; ORDER=II, SEEDS=0-9 for others
	@test -n "$$FILE" || { echo "Give the file: make row FILE=my_method.py"; exit 2; }
	OMP_NUM_THREADS=1 $(PY) -m gift_lib.evidence.row "$$FILE" --order "$$ORDER" --seeds "$${SEEDS:-0-4}" \
	  --scale "$$SCALE" --device "$$DEVICE" --jobs "$$JOBS"

sweep-status: install ## what a batch has done and what is missing: NAME=... SCALE=...
	$(PY) -m gift_lib.runs.batch status "$$NAME" --scale="$$SCALE" --jobs="$$JOBS" --seeds="$$SEEDS"

verify: install ## run N committed records again, sampled at random, and compare them; FRESH=1 generates the images again
	$(PY) -m gift_lib.runs.verify --sample="$$N" $${FRESH:+--fresh}

reproduce: export GIFT_CACHE := $(CURDIR)/build/reproduce/cache
reproduce: install ## make every record from nothing (a night on two cores) and compare with the committed ones
	$(PY) -m gift_lib.world early
	-$(BIN)/snakemake $(BATCH) \
	  --config "name=$$NAME" "scale=$$SCALE" results=build/reproduce/results runs=build/reproduce/runs
	$(PY) -m gift_lib.runs.verify --against build/reproduce/results --name="$$NAME"
	rm -rf build/reproduced && mv build/reproduce build/reproduced

data: install ## prepare and verify the data sets of the real scales
	$(PY) -m gift_lib.data prepare

zero-shot: install ## the pre-trained model's accuracy on every task: SCALE=paper
	$(PY) -m gift_lib.runs.zero_shot --scale="$$SCALE" --device="$$DEVICE"

readme: install ## write the README's results from the records
	$(PY) book/_ext/write_readme.py

crate: install ## sources, data and records as an RO-Crate in build/crate, and what its validator says (a few minutes)
	$(PY) book/_ext/make_crate.py build/crate
	test -x build/crate-tools/bin/python || $(PY) -m venv build/crate-tools
	build/crate-tools/bin/python -m pip install --disable-pip-version-check --quiet --require-hashes -r env/crate/requirements.txt
	build/crate-tools/bin/python book/_ext/check_crate.py build/crate

dry-run: install ## what a run would need (pictures, steps, time, disk): SCALE=paper METHOD=gift DEVICE=cuda
	$(PY) -m gift_lib.runs.dry_run --scale="$$SCALE" --method="$$METHOD" --device="$$DEVICE"

cache: install ## what the library keeps outside the clone, with sizes (python -m gift_lib.runs.caches clear ... frees it)
	$(PY) -m gift_lib.runs.caches

clean: ## remove what was built; records, weights and caches stay
	rm -rf _build build
