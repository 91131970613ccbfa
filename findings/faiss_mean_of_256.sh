#!/usr/bin/env bash
# faiss-cpu 1.15.1 (numpy 2.4.6), 2026-11-28: the mean of a class is the mean of 256 of its pictures.
# Guess: Kmeans with one centroid finds the mean of all points.
# Behaviour: from 257 points per centroid on it draws 256 per centroid and looks at no others. The note of it is printed with verbose=True only.
#   max_points_per_centroid above the number of points gives the mean.
# Costs: prototypes, class means for rehearsal and clusters of features come from a small sample: with 1 centroid 256 of 50,000 pictures, noise included.
# Seen: 256 points off by below 1e-6, 257 and 50,000 points by more than 1e-4 and 1e-2; with max_points_per_centroid below 1e-5.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet faiss-cpu==1.15.1 numpy==2.4.6
venv/bin/python - <<'PY'
import faiss
import numpy as np


def off(points, **more):
    x = np.random.default_rng(0).normal(size=(points, 8)).astype(np.float32)
    means = faiss.Kmeans(8, 1, **more)
    means.train(x)
    return float(np.abs(means.centroids[0] - x.mean(0, dtype=np.float64)).max())


few, more, many, told = off(256), off(257), off(50_000), off(50_000, max_points_per_centroid=50_000)
print(few, more, many, told)
assert few < 1e-6 and more > 1e-4 and many > 1e-2 and told < 1e-5
PY
