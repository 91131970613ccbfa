#!/usr/bin/env bash
# datasets 5.2.0 (pyarrow 26.0.1, numpy 2.4.6), 2026-11-28: integer labels get other numbers.
# Guess: class_encode_column declares that a column of the integers 0 to 11 holds classes, and leaves the integers alone.
# Behaviour: it writes the integers as text, sorts the TEXTS, and numbers these: 0, 1, 10, 11, 2, ... From eleven classes on all labels above 1
#   change places, against class lists, trained heads and other splits; two splits that hold other classes are numbered differently. Nothing warns.
# Seen: 0 1 2 3 ... 11 becomes 0 1 4 5 6 7 8 9 10 11 2 3; 5 7 9 becomes 0 1 2.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet datasets==5.2.0 pyarrow==26.0.1 numpy==2.4.6
venv/bin/python - <<'PY'
import datasets

datasets.disable_progress_bars()


def encoded(labels):
    table = datasets.Dataset.from_dict({"label": labels}).class_encode_column("label")
    return list(table["label"]), table.features["label"].names


twelve, names = encoded(list(range(12)))
few, _ = encoded([5, 7, 9])
print(twelve, names, few)
assert names[:4] == ["0", "1", "10", "11"] and twelve == [0, 1, 4, 5, 6, 7, 8, 9, 10, 11, 2, 3]
assert few == [0, 1, 2]
PY
