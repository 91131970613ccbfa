#!/usr/bin/env bash
# torch 2.14.0 (numpy 2.4.6), 2026-11-28: a step of Muon shrinks with the gradient, once that is small.
# Guess: Muon makes the update orthogonal, so its length does not depend on the length of the gradient (as Adam: its eps adds to single
#   values).
# Behaviour: the gradient is divided by its norm, but by no less than eps = 1e-7, and five rounds do not bring back what is missing. A
#   matrix of low gradient (a frozen-like layer, a loss times a small weight) moves by a fraction of the rate; its norm counts, not its mean.
# Seen: length of one step for the identity of 8 x 8 times 1, 1e-6, 1e-8, 1e-10: 3.03, 3.03, 2.03, 1.33; times 1e-12: below 0.1.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet torch==2.14.0 numpy==2.4.6
venv/bin/python - <<'PY'
import torch


def step(scale):
    weight = torch.nn.Parameter(torch.zeros(8, 8))
    optimiser = torch.optim.Muon([weight], lr=1.0, weight_decay=0.0, momentum=0.0, nesterov=False)
    weight.grad = scale * torch.eye(8)
    optimiser.step()
    return weight.detach().norm().item()


lengths = [step(scale) for scale in (1, 1e-6, 1e-8, 1e-10, 1e-12)]
print([round(length, 3) for length in lengths])
assert lengths[0] == lengths[1] and lengths[2] < 0.8 * lengths[0] and lengths[4] < 0.1
PY
