#!/usr/bin/env bash
# datasets 5.2.0 (pyarrow 26.0.1, pandas 3.1.1, numpy 2.4.6), 2026-11-28: a subset chosen by a mask is the first two rows, again and again.
# Guess: a boolean array picks the rows where it is True, as in numpy, pandas and pyarrow, or is refused.
# Behaviour: ds[mask], ds.select(mask) and ds["column"][mask] read False and True as the row numbers 0 and 1. In "numpy" format too, where
#   ds[:]["column"] is an array and picks the right rows, ds["column"] is not. Only select with a list of bools raises.
#   In the same way ds["column"] == 3 is a single False, while ds["column"] == array goes row by row; so np.mean(ds["label"] == 3) is 0.
# Costs: the mean over the confident, hard or filtered rows is a mix of rows 0 and 1, and a set that was to be cleaned trains on two pictures. The
#   length is that of the whole set, which hides it in a mean; nothing warns.
# Seen: of six rows with numbers 10 to 15 the mask for 11, 13, 14 picks 10, 11, 10, 11, 11, 10; the mean of the chosen scores is 0.5 and not 0.8.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet datasets==5.2.0 pyarrow==26.0.1 pandas==3.1.1 numpy==2.4.6
HF_HOME="$work/hf" HF_HUB_OFFLINE=1 venv/bin/python - <<'PY'
import numpy as np
from datasets import Dataset

rows = Dataset.from_dict({"number": range(10, 16), "score": [0.1, 0.9, 0.4, 0.8, 0.7, 0.2]}).with_format("numpy")
whole = rows[:]
mask = whole["score"] > 0.5
picked = [list(chosen) for chosen in (rows[mask]["number"], rows.select(mask)["number"], rows["number"][mask])]
right = list(whole["number"][mask]), list(rows.to_pandas()["number"][mask]), list(rows.select(np.flatnonzero(mask))["number"])
means = round(float(rows["score"][mask].mean()), 3), round(float(whole["score"][mask].mean()), 3)
shares = np.mean(rows["number"] == 13), np.mean(whole["number"] == 13), np.mean(rows["number"] == np.full(6, 13))
print(picked, right, means, shares)
assert right == ([11, 13, 14],) * 3
assert picked == [[10, 11, 10, 11, 11, 10]] * 3
assert means == (0.5, 0.8)
assert shares[0] == 0 and shares[1] == shares[2] > 0.16
PY
