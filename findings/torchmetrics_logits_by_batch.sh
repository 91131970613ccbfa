#!/usr/bin/env bash
# torchmetrics 1.9.0 with torch 2.14.0 (numpy 2.4.6), 2026-11-27: the accuracy of logits depends on the batches.
# Guess: BinaryAccuracy takes logits, and gives the same number for one batch of four or two batches of two.
# Behaviour: it applies the sigmoid to a batch only where one of its values lies outside [0, 1]. A batch of timid logits passes for
#   probabilities, and its threshold is 0.5 instead of 0.
# Seen: 1.0 in one batch, 0.5 in two.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet torch==2.14.0 numpy==2.4.6 torchmetrics==1.9.0
venv/bin/python - <<'PY'
import torch
from torchmetrics.classification import BinaryAccuracy

logits, labels = torch.tensor([0.2, 0.3, -1.0, -2.0]), torch.tensor([1, 1, 0, 0])


def accuracy(size):
    metric = BinaryAccuracy()
    for some, truth in zip(logits.split(size), labels.split(size)):
        metric.update(some, truth)
    return metric.compute().item()


print(accuracy(4), accuracy(2))
assert (accuracy(4), accuracy(2)) == (1.0, 0.5)
PY
