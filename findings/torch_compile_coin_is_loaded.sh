#!/usr/bin/env bash
# torch 2.14.0 (numpy 2.4.6) with a C++ compiler, 2026-11-28: a layer to be dropped in 1 step of 10 is dropped in 7.
# Guess: random.random() in a compiled function is the number between 0 and 1 that it is outside, with the same seed the same one.
# Behaviour: the backends "eager" and "aot_eager" draw it so. The default backend on a CPU hands the kernel the 64 bits of Python's float and
#  reads 32 of them as a float32: the draw is 1e-25, -9e34 or whatever else those bits say, mostly next to nothing or negative. A comparison
#  with a rate is made with that number. random.uniform(0.8, 1.2) is the same; randint, floats that are arguments or attributes, and
#  numpy's draws are right. The seed is kept, so that the wrong run repeats to the digit; nothing warns.
# Costs: with "if random.random() < 0.1" (stochastic depth, a flip, distillation in some of the steps) no number is seen to be wrong: the branch
#  is taken 7 times as often, and compiling, thought to be for speed alone, changes the method.
# Seen: share of 400 steps without the layer 0.1 uncompiled and with "eager", 0.72 with the default; no scale of 200 between 0.8 and 1.2.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet torch==2.14.0 numpy==2.4.6
TORCHINDUCTOR_CACHE_DIR="$work/cache" venv/bin/python - <<'PY'
import random

import torch


def depth(features):
    return features * 0 if random.random() < 0.1 else features + 1


def scaled(features):
    return features * random.uniform(0.8, 1.2)


def run(backend):
    calls = [torch.compile(function, backend=backend) if backend else function for function in (depth, scaled)]
    random.seed(0)
    features = torch.ones(4)
    dropped = sum(calls[0](features)[0].item() == 0 for _ in range(400)) / 400
    scales = [calls[1](features)[0].item() for _ in range(200)]
    return dropped, sum(0.79 < scale < 1.21 for scale in scales) / 200


seen = {backend: run(backend) for backend in (None, "eager", "inductor")}
print(seen)
assert seen[None] == seen["eager"] == (0.1, 1.0)
assert seen["inductor"][0] > 0.6 and seen["inductor"][1] == 0
PY
