#!/usr/bin/env bash
# diffusers 0.42.1 with torch 2.14.0 (numpy 2.4.6), 2026-11-28: an average of weights without warm-up that warms up.
# Guess: EMAModel(decay=0.9999, use_ema_warmup=False) keeps 0.9999 of the average at every step.
# Behaviour: the switch chooses between two warm-ups. Off, the decay of step n is (1 + n) / (10 + n), up to the given one: 0 at the first step, so that the
#   initial weights are forgotten at once, and 0.92 after 100. Short fine-tunings are averaged over their last tenth only; 0.9999 takes effect after
#   some 90,000 steps.
# Seen: decay at steps 1, 2, 3, 100: 0.0, 0.18, 0.25, 0.92; weights that jump from 0 to 1: the average is 1 after one step.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet torch==2.14.0 numpy==2.4.6 diffusers==0.42.1
venv/bin/python - <<'PY'
import torch
from diffusers.training_utils import EMAModel

weight = torch.nn.Parameter(torch.zeros(1))
average = EMAModel([weight], decay=0.9999, use_ema_warmup=False)
weight.data += 1
decays, values = [], []
for _ in range(100):
    average.step([weight])
    decays.append(average.cur_decay_value)
    values.append(average.shadow_params[0].item())
print([round(decays[step - 1], 3) for step in (1, 2, 3, 100)], values[0])
assert decays[0] == 0 and values[0] == 1
assert abs(decays[2] - 3 / 12) < 1e-9 and abs(decays[99] - 100 / 109) < 1e-9
PY
