#!/usr/bin/env bash
# torch 2.14.0 (numpy 2.4.6), 2026-11-27: a plateau below zero is none.
# Guess: ReduceLROnPlateau lowers the rate of a loss that has stopped to fall, a log likelihood below zero included.
# Behaviour: "better" means below best * (1 - 0.0001). Where best is negative that bound lies above it, so that an unchanged loss,
#   and one that rises slowly from -100, count as progress for ever. threshold_mode="abs" behaves.
# Seen: rates after 100 equal losses of 1, 0 and -1: below 1e-7, below 1e-7, 1.0; after a rise from -100 to -95 in 1000 steps: 1.0.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet torch==2.14.0 numpy==2.4.6
venv/bin/python - <<'PY'
import torch


def rate(losses, **options):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=2, **options)
    for loss in losses:
        scheduler.step(loss)
    return optimizer.param_groups[0]["lr"]


rates = [rate([loss] * 100) for loss in (1.0, 0.0, -1.0)]
rising = rate([-100 + 0.005 * step for step in range(1000)])
print(rates, rising)
assert max(rates[:2]) < 1e-7 and rates[2] == rising == 1.0
assert rate([-1.0] * 100, threshold_mode="abs") < 1e-7
PY
