#!/usr/bin/env bash
# torch 2.14.0 (numpy 2.4.6), 2026-11-28: in a compiled function Python's random draws once, and three seeds are one.
# Guess: torch.compile leaves Python's random numbers as they are: fresh ones at every call, the same as without it for the same seed.
# Behaviour: random.random, uniform and randint do so here. random.sample and random.shuffle give the answer of the first call for ever, and so does
#  every generator of one's own, random.Random(seed): its first draw is written into the compiled code. That code is kept for what looks the
#  same, so a new generator for another epoch, and a new module with another seed, still get the draw of the first. With the default
#  backend as with "eager", which is used here because it needs no C++ compiler; nothing warns.
# Costs: rehearsal picks the same exemplars in every step, a random flip is always or never made, and runs with other seeds agree to the digit.
# Seen: four samples of 3 out of 6 are [3, 5, 0], uncompiled they are four others; the draws of three modules with the seeds 0, 1, 2 are
#  0.844 nine times, uncompiled nine numbers.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet torch==2.14.0 numpy==2.4.6
venv/bin/python - <<'PY'
import random

import torch


def exemplars(memory):
    return memory[random.sample(range(6), 3)]


def shuffled(memory):
    order = list(range(6))
    random.shuffle(order)
    return memory[order]


class Augment(torch.nn.Module):
    def __init__(self, seed):
        super().__init__()
        self.random = random.Random(seed)

    def forward(self, pictures):
        return pictures * self.random.uniform(0, 1)


def draws(compiled):
    found = []
    for function in (exemplars, shuffled):
        random.seed(0)
        call = torch.compile(function, backend="eager") if compiled else function
        found.append({tuple(call(torch.arange(6)).tolist()) for _ in range(4)})
    modules = [Augment(seed) for seed in range(3)]
    if compiled:
        modules = [torch.compile(module, backend="eager") for module in modules]
    found.append({round(module(torch.ones(1)).item(), 3) for module in modules for _ in range(3)})
    return found


plain, compiled = draws(False), draws(True)
print(plain, compiled)
assert [len(found) for found in plain] == [4, 4, 9]
assert [len(found) for found in compiled] == [1, 1, 1]
assert compiled[0] == {(3, 5, 0)} and compiled[2] == {0.844}
PY
