#!/usr/bin/env bash
# torchmetrics 1.9.0 with torch 2.14.0 (numpy 2.4.6), 2026-11-27: two names of one accuracy, two numbers.
# Guess: Accuracy(task="multiclass") makes the metric that MulticlassAccuracy is.
# Behaviour: it makes that class, with another default: Accuracy averages over pictures, MulticlassAccuracy over classes, and
#   a class that occurs only as a wrong answer counts there as 0.
# Seen: three of four pictures of class 0 right, one named 1: 0.75 and 0.375.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet torch==2.14.0 numpy==2.4.6 torchmetrics==1.9.0
venv/bin/python - <<'PY'
import torch
from torchmetrics import Accuracy
from torchmetrics.classification import MulticlassAccuracy

answers, labels = torch.tensor([0, 0, 0, 1]), torch.tensor([0, 0, 0, 0])
by_task, by_class = Accuracy(task="multiclass", num_classes=2), MulticlassAccuracy(num_classes=2)
print(type(by_task), by_task(answers, labels).item(), by_class(answers, labels).item())
assert type(by_task) is type(by_class)
assert by_task(answers, labels) == 0.75 and by_class(answers, labels) == 0.375
PY
