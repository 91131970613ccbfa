#!/usr/bin/env bash
# numpy 2.4.6 with pandas 3.1.1, 2026-11-27: one learning rate in a list is another number than the same rate alone.
# Guess: an element of a float32 array that == 0.1 is found by == [0.1], by np.isin(..., [0.1]) and by pandas' isin([0.1]) too.
# Behaviour: a lone Python float takes the type of the array, 0.1 in float32. In a list it becomes float64 first, and no float32
#  equals that one. Selecting rows by one rate finds them, selecting by a list of rates finds none.
# Seen: == 0.1 [True, True], == [0.1, 0.1] [False, False], np.isin [False, False]; pandas == [True, True], isin [False, False].
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet numpy==2.4.6 pandas==3.1.1
venv/bin/python - <<'PY'
import numpy as np
import pandas as pd

rates = np.float32([0.1, 0.1])
column = pd.Series(rates)
alone, listed, inside = rates == 0.1, rates == [0.1, 0.1], np.isin(rates, [0.1])
print(alone, listed, inside, (column == 0.1).tolist(), column.isin([0.1]).tolist())
assert alone.all() and not listed.any() and not inside.any()
assert (column == 0.1).all() and not column.isin([0.1]).any()
PY
