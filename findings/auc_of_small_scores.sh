#!/usr/bin/env bash
# river 0.26.1 and keras 3.15.1 (jax 0.10.2, numpy 2.4.6), 2026-11-28: a perfect ranking of small scores has the area of a coin.
# Guess: the area under the ROC curve depends on the order of the scores only.
# Behaviour: both compare the scores with thresholds fixed beforehand, in equal steps from 0 to 1 (10 in river, 200 in keras). Scores that all lie
#   below the first step, as those of one among a thousand classes or of a rare event do, are all alike. river's RollingROCAUC is exact.
# Costs: detectors of rare things, and rankings by a softmax over many classes, report chance; a better model does not show.
# Seen: scores 0 to 0.004, positives above all negatives: river 0.5, keras 0.5, RollingROCAUC 1.0; the scores times 250: 0.99, 1.0, 1.0.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet river==0.26.1 keras==3.15.1 jax==0.10.2 numpy==2.4.6
venv/bin/python - <<'PY'
import os

os.environ["KERAS_BACKEND"] = "jax"
import keras
import numpy as np
from river import metrics

labels = np.arange(100) >= 50


def areas(scores):
    online, window, whole = metrics.ROCAUC(), metrics.RollingROCAUC(), keras.metrics.AUC()
    for label, score in zip(labels, scores):
        online.update(bool(label), float(score))
        window.update(bool(label), float(score))
    whole.update_state(labels, scores)
    return [round(float(v), 2) for v in (online.get(), whole.result(), window.get())]


small, large = areas(np.linspace(0, 0.004, 100)), areas(np.linspace(0, 1, 100))
print(small, large)
assert small == [0.5, 0.5, 1.0] and large == [0.99, 1.0, 1.0]
PY
