#!/usr/bin/env bash
# torch 2.14.0 (numpy 2.4.6), 2026-11-28: a weighted loss is another one when its labels are written as probabilities.
# Guess: cross_entropy with class weights gives one value for class indices and for the same labels one-hot.
# Behaviour: the mean over indices divides by the sum of the weights of the labels, the mean over probabilities by the number of rows.
#   Without weights both agree, so that adding mixup or soft labels to a weighted loss changes the learning rate. Label smoothing is divided as indices are.
# Seen: 1.0119 with indices, 2.3610 one-hot, both for weights 1, 2, 4 (mean 7/3); without weights equal.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet torch==2.14.0 numpy==2.4.6
venv/bin/python - <<'PY'
import torch
from torch.nn.functional import cross_entropy, one_hot

weight = torch.tensor([1.0, 2.0, 4.0])
logits = torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
labels = torch.tensor([0, 0, 1, 1, 2, 2])
rows = one_hot(labels, 3).float()
indices, probabilities = cross_entropy(logits, labels, weight), cross_entropy(logits, rows, weight)
print(indices.item(), probabilities.item())
assert torch.isclose(probabilities / indices, weight.mean())
assert torch.isclose(cross_entropy(logits, labels), cross_entropy(logits, rows))
PY
