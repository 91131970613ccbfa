#!/usr/bin/env bash
# timm 1.0.31 with torch 2.14.0 (numpy 2.4.6), 2026-11-27: "sgd" is Nesterov.
# Guess: create_optimizer_v2(model, "sgd") is torch's SGD with momentum 0.9, and "momentum" another name of it.
# Behaviour: "sgd" switches Nesterov on; "momentum" is what everybody calls SGD with momentum.
# Seen: sgd nesterov True, momentum nesterov False, both momentum 0.9.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet torch==2.14.0 numpy==2.4.6 torchvision==0.29.2 timm==1.0.31
venv/bin/python - <<'PY'
from timm.optim import create_optimizer_v2
from torch import nn

groups = {name: create_optimizer_v2(nn.Linear(2, 2), name, lr=0.1).param_groups for name in ("sgd", "momentum")}
seen = {name: {(group["momentum"], group["nesterov"]) for group in found} for name, found in groups.items()}
print(seen)
assert seen == {"sgd": {(0.9, True)}, "momentum": {(0.9, False)}}
PY
