#!/usr/bin/env bash
# torch 2.14.0 (numpy 2.4.6), 2026-11-27: a learning rate schedule overwrites Adam's momentum.
# Guess: OneCycleLR schedules the learning rate, and betas=(0.9, 0.98) stay what they are.
# Behaviour: cycle_momentum is on by default and cycles beta1 between 0.95 and 0.85; the 0.9 that was asked for is lost from
#   the first line on. beta2 is kept.
# Seen: (0.95, 0.98) before the first step, 0.85 at the highest rate.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet torch==2.14.0 numpy==2.4.6
venv/bin/python - <<'PY'
import torch

optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], betas=(0.9, 0.98))
scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-3, total_steps=10)
betas = [optimizer.param_groups[0]["betas"]]
for _ in range(9):
    optimizer.step()
    scheduler.step()
    betas.append(optimizer.param_groups[0]["betas"])
print(betas)
assert betas[0] == (0.95, 0.98)
assert abs(min(first for first, _ in betas) - 0.85) < 1e-6
assert {second for _, second in betas} == {0.98}
PY
