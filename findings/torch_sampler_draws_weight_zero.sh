#!/usr/bin/env bash
# torch 2.14.0 (numpy 2.4.6), 2026-11-28: a weighted sampler draws what has weight zero.
# Guess: asked for more distinct draws than there are positive weights, WeightedRandomSampler raises.
# Behaviour: on a CPU it fills up with indices of weight zero, after the others and without a word. Classes that were switched off by
#   weight zero come back as soon as an epoch is as long as the data.
# Seen: weights 0, 0, 1, 1 and four draws without replacement: all four indices, the two of weight zero last; with replacement: never.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet torch==2.14.0 numpy==2.4.6
venv/bin/python - <<'PY'
import torch
from torch.utils.data import WeightedRandomSampler

weights = [0.0, 0.0, 1.0, 1.0]


def draws(count, replacement):
    generator = torch.Generator().manual_seed(0)
    return list(WeightedRandomSampler(weights, count, replacement=replacement, generator=generator))


distinct, repeated = draws(4, replacement=False), draws(1000, replacement=True)
print(distinct, sorted(set(repeated)))
assert set(distinct[:2]) == {2, 3} and set(distinct[2:]) == {0, 1} and set(repeated) == {2, 3}
PY
