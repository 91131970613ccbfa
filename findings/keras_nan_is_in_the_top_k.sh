#!/usr/bin/env bash
# keras 3.15.1 with jax 0.10.2 (numpy 2.4.6), 2026-11-28: a model that has diverged is always right.
# Expected: the top-k accuracy of outputs that are all NaN is 0, and that of outputs that are all equal is chance.
# Behaviour: a class is in the top k unless k others score higher. Nothing scores higher than NaN, or than an equal score: every picture
#   counts as right, for every label. SparseCategoricalAccuracy takes the first class in both cases.
# Costs: a run that has diverged to NaN, or collapsed to one output, is the best of a sweep by top-1 or top-5.
# Seen: top-1 over three labels 1.0 for NaN and 1.0 for equal scores; SparseCategoricalAccuracy 0.33 and 0.33.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet keras==3.15.1 jax==0.10.2 numpy==2.4.6
venv/bin/python - <<'PY'
import os

os.environ["KERAS_BACKEND"] = "jax"
import keras
import numpy as np

labels = np.array([0, 1, 2])


def both(value):
    scores = np.full((3, 3), value, dtype=np.float32)
    top = keras.metrics.SparseTopKCategoricalAccuracy(k=1)(labels, scores)
    first = keras.metrics.SparseCategoricalAccuracy()(labels, scores)
    return round(float(top), 2), round(float(first), 2)


diverged, equal = both(np.nan), both(0.5)
print(diverged, equal)
assert diverged == equal == (1.0, 0.33)
PY
