#!/usr/bin/env bash
# torch 2.14.0 (numpy 2.4.6), 2026-11-27: from the second task on nothing is learned.
# Guess: a new CosineAnnealingLR per task, on the same optimizer, starts again at the first rate, as LambdaLR and LinearLR do.
# Behaviour: it multiplies the rate that it finds. The first task leaves it at 0, and 0 it stays: the later tasks run
#   through all their steps at rate 0, without a warning.
# Seen: cosine [1.0, 0.854, 0.5, 0.146] then [0, 0, 0, 0]; lambda [1.0, 0.75, 0.5, 0.25] twice.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet torch==2.14.0 numpy==2.4.6
venv/bin/python - <<'PY'
import torch
from torch.optim.lr_scheduler import CosineAnnealingLR, LambdaLR


def two_tasks(schedule):
    optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    tasks = []
    for _ in range(2):
        scheduler, rates = schedule(optimizer), []
        for _ in range(4):
            rates.append(round(optimizer.param_groups[0]["lr"], 3))
            optimizer.step()
            scheduler.step()
        tasks.append(rates)
    return tasks


cosine = two_tasks(lambda optimizer: CosineAnnealingLR(optimizer, T_max=4))
linear = two_tasks(lambda optimizer: LambdaLR(optimizer, lambda step: 1 - step / 4))
print(cosine, linear)
assert cosine == [[1.0, 0.854, 0.5, 0.146], [0.0] * 4]
assert linear == [[1.0, 0.75, 0.5, 0.25]] * 2
PY
