#!/usr/bin/env bash
# hyperopt 0.3.0 (numpy 2.4.6), 2026-11-28: a search that proposes a learning rate of 0 and a batch of 0.
# Guess: quniform("k", 1, 10, 4) and qloguniform of 1e-4 to 1e-1 stay within their bounds.
# Behaviour: a value is drawn within the bounds and then rounded to a multiple of q, from 0 and not from the lower bound: 0 below it, 12 of (0, 10, 6)
#   above it. Of a logarithmic range all below q / 2 becomes 0. uniformint stays within.
# Costs: trials with no training, no layer or no warm-up are compared as results, and the best setting may lie outside the range that the paper names.
# Seen: quniform(1, 10, 4) gives 0, 4, 8; quniform(0, 10, 6) gives 0, 6, 12; qloguniform(1e-4, 1e-1, q=1e-3) 0 in 69 of 300 draws.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet hyperopt==0.3.0 numpy==2.4.6 setuptools==80.9.0
venv/bin/python - <<'PY'
import math

import numpy as np
from hyperopt import hp
from hyperopt.pyll.stochastic import sample

rng = np.random.default_rng(0)


def draws(space):
    return [round(float(sample(space, rng=rng)), 6) for _ in range(300)]


low, high = sorted(set(draws(hp.quniform("k", 1, 10, 4)))), sorted(set(draws(hp.quniform("k", 0, 10, 6))))
rates = draws(hp.qloguniform("lr", math.log(1e-4), math.log(1e-1), 1e-3))
print(low, high, rates.count(0))
assert low == [0, 4, 8] and high == [0, 6, 12] and 40 < rates.count(0) < 100
PY
