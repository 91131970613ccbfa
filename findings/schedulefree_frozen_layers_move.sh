#!/usr/bin/env bash
# schedulefree 1.4.1 with torch 2.14.0 (numpy 2.4.6), 2026-11-28: layers that are frozen by a learning rate of 0 go on moving.
# Guess: a parameter group whose lr is set to 0 for the second task keeps its weights, as with torch's optimisers (no weight decay here).
# Behaviour: the weights of schedule-free optimisers are averages that lag behind. Each step weighs by the largest lr that the group has
#   had, not by the present one, so with lr 0 the average goes on towards the point where the last step of the first task ended. requires_grad_(False),
#   after which no gradient comes, does freeze. Nothing warns.
# Costs: the features that the second task was to leave alone are others after it, and what the first task loses is taken for the method's forgetting.
# Seen: in 100 steps with lr 0 the largest change is 0.071 of weights up to 0.68 (AdamWScheduleFree) and 0.069 (SGDScheduleFree); AdamW 0.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet schedulefree==1.4.1 torch==2.14.0 numpy==2.4.6
venv/bin/python - <<'PY'
import schedulefree
import torch


def change(optimiser, lr, without_gradient=False):
    torch.manual_seed(0)
    features, head = torch.nn.Linear(4, 4), torch.nn.Linear(4, 2)
    inputs, targets = torch.randn(64, 4), torch.randn(64, 2)
    steps = optimiser([{"params": features.parameters()}, {"params": head.parameters()}], lr=lr, weight_decay=0)

    def task():
        getattr(steps, "train", lambda: None)()
        for _ in range(100):
            steps.zero_grad()
            (head(features(inputs)) - targets).square().mean().backward()
            steps.step()
        getattr(steps, "eval", lambda: None)()  # the weights that are tested and saved
        return features.weight.detach().clone()

    first = task()
    steps.param_groups[0]["lr"] = 0.0
    if without_gradient:
        features.requires_grad_(False)
        steps.zero_grad()
    return round((task() - first).abs().max().item(), 5)


kinds = ((schedulefree.AdamWScheduleFree, 0.01), (schedulefree.SGDScheduleFree, 0.1), (torch.optim.AdamW, 0.01), (torch.optim.SGD, 0.1))
moved = {kind.__name__: change(kind, lr) for kind, lr in kinds}
frozen = change(*kinds[0], without_gradient=True)
print(moved, frozen)
assert moved["AdamW"] == moved["SGD"] == 0 and frozen < 1e-5
assert moved["AdamWScheduleFree"] > 0.03 and moved["SGDScheduleFree"] > 0.03
PY
