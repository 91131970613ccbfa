#!/usr/bin/env bash
# Python 3.11's sqlite3 with numpy 2.4.6, 2026-11-27: an accuracy that averages to zero.
# Guess: a numpy scalar given to sqlite3 is stored as the number that it is, or refused.
# Behaviour: np.float64 is a Python float and is stored as one. np.float32 and np.int64 are buffers to sqlite3, which stores their bytes as a
#  BLOB, in a REAL or INTEGER column too, without a word: the mean of the column is 0.0 and WHERE seed = 3 finds nothing.
# Seen: ('blob', 'blob', 'real'); mean of the float32 accuracies 0.0, of the float64 ones 0.5; rows with seed 3: 0.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet numpy==2.4.6
venv/bin/python - <<'PY'
import sqlite3

import numpy as np

base = sqlite3.connect(":memory:")
base.execute("create table runs (seed integer, acc real, again real)")
base.execute("insert into runs values (?, ?, ?)", (np.int64(3), np.float32(0.5), np.float64(0.5)))
kinds = base.execute("select typeof(seed), typeof(acc), typeof(again) from runs").fetchone()
means = base.execute("select avg(acc), avg(again) from runs").fetchone()
found = base.execute("select count(*) from runs where seed = 3").fetchone()[0]
print(kinds, means, found)
assert kinds == ("blob", "blob", "real")
assert means == (0.0, 0.5) and found == 0
PY
