#!/usr/bin/env bash
# torchmetrics 1.9.0 with torch 2.14.0 (numpy 2.4.6), 2026-11-28: a bootstrap whose error depends on the batches.
# Expected: BootStrapper with multinomial sampling estimates the standard error of a mean over a test set, however the set is cut into batches.
# Behaviour: it draws with replacement within each batch, never across. A batch of one picture has nothing to draw from: the error is exactly 0; batches of b
#   give sqrt(1 - 1/b) of it, and less where batches are alike within, as in a set sorted by class.
# Costs: intervals from an evaluation in small batches, or in the order of the classes, are too narrow and make differences clear that are not.
# Seen: 400 answers, half of them right: standard error 0.025 in one batch, 0.018 in twos, 0.0 one by one, 0.0 in two batches sorted by answer.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet torchmetrics==1.9.0 torch==2.14.0 numpy==2.4.6
venv/bin/python - <<'PY'
import torch
from torchmetrics import MeanMetric
from torchmetrics.wrappers import BootStrapper

torch.manual_seed(0)
answers = (torch.randperm(400) < 200).float()


def error(right, batch):
    metric = BootStrapper(MeanMetric(), num_bootstraps=400, sampling_strategy="multinomial")
    for part in right.split(batch):
        metric.update(part)
    return round(metric.compute()["std"].item(), 4)


whole, twos, single, ordered = error(answers, 400), error(answers, 2), error(answers, 1), error(answers.sort()[0], 200)
print(whole, twos, single, ordered)
assert 0.022 < whole < 0.028 and 0.6 < twos / whole < 0.82 and single == ordered == 0
PY
