#!/usr/bin/env bash
# polars 2.1.0 (pandas 3.1.1, numpy 2.4.6), 2026-11-28: in a table made of rows the first accuracy below 1 is 0, and what is logged late is gone.
# Guess: pl.DataFrame of a list of dictionaries, one a step, holds the numbers that were in them, as pandas' does; strict=True, the default, is
#  documented to raise where a value is not of the column's type.
# Behaviour: types and names are taken from the first 100 rows. A later 0.5 in a column that held 1 (or 0) up to there is cut to the integer 0, -1.7 to -1,
#  nested ones too, and a later key is left out. Rows as tuples and from_dicts do the same; a column handed over whole (pl.Series) raises.
# Costs: a log of training, where accuracies on the first task are 1 and "validation" comes at the end of the first epoch, has other numbers and
#  lacks the column that one looks for; with fewer than 100 rows, as in a test, all is well.
# Seen: 100 rows of accuracy 1 and 100 of 0.75 have the mean 0.5, in pandas 0.875; a frame without "validation"; with 99 rows first 0.874 both.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet polars==2.1.0 pandas==3.1.1 numpy==2.4.6
venv/bin/python - <<'PY'
import pandas as pd
import polars as pl


def log(perfect):
    return [{"accuracy": 1}] * perfect + [{"accuracy": 0.75, "validation": 0.7}] * 100


def mean(frame):
    return round(float(frame["accuracy"].mean()), 3), "validation" in frame.columns


seen = {}
for perfect in (99, 100):
    rows = log(perfect)
    seen[perfect] = [mean(f(rows)) for f in (pd.DataFrame, pl.DataFrame, pl.from_dicts, lambda r: pl.DataFrame(r, strict=True))]
tuples = pl.DataFrame([(1,)] * 100 + [(0.75,)] * 100, schema=["accuracy"], orient="row")["accuracy"].mean()
try:
    pl.Series([1] * 100 + [0.75] * 100)
    column = "accepted"
except TypeError:
    column = "refused"
print(seen, tuples, column)
assert seen[99] == [(0.874, True)] * 4
assert seen[100] == [(0.875, True)] + [(0.5, False)] * 3 and tuples == 0.5 and column == "refused"
PY
