#!/usr/bin/env bash
# pylance 14.0.2 (pyarrow 26.0.1, numpy 2.4.6), 2026-11-28: pictures without a score pass every filter for high scores.
# Guess: the filter "score > 0.9" leaves out the rows whose score is NaN, as the same filter does in numpy and in pyarrow.
# Behaviour: in Lance's filters NaN is larger than every number and equal to itself: "score > 100" keeps it, "score < 0.1" does not, and "score = score",
#   the usual test for NaN, keeps it too. count_rows and a filter through a scalar index do the same.
# Costs: a set chosen by aesthetic score or by similarity to its caption is led by the pictures whose score could not be computed.
# Seen: of ten scores 0.0 to 0.9 and three NaN, "score > 0.75" keeps five, pyarrow two; "score > 100" keeps three, pyarrow none.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet pylance==14.0.2 pyarrow==26.0.1 numpy==2.4.6
venv/bin/python - <<'PY'
import lance
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

scores = np.array([*np.arange(10) / 10, np.nan, np.nan, np.nan])
table = pa.table({"score": scores})
pictures = lance.write_dataset(table, "pictures.lance")


def kept():
    return [pictures.to_table(filter=f).num_rows for f in ("score > 0.75", "score > 100", "score < 0.05", "score = score")]


plain, counted = kept(), pictures.count_rows("score > 100")
pictures.create_scalar_index("score", "BTREE")
indexed = kept()
score = pc.field("score")
arrow = [table.filter(f).num_rows for f in (score > 0.75, score > 100, score < 0.05, score == score)]
print(plain, counted, indexed, arrow)
assert plain == indexed == [5, 3, 1, 13] and counted == 3 and arrow == [2, 0, 1, 10]
PY
