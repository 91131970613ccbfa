#!/usr/bin/env bash
# jax 0.10.2 (numpy 2.4.6), 2026-11-28: the noise of step 0 is the noise of the first weight.
# Expected: fold_in(key, step) and split(key) lead to unrelated streams.
# Behaviour: fold_in(key, i) IS split(key, n)[i], for every n above i, so that folding in step numbers continues, or repeats, the list of split keys.
# Costs: weights started from split(key) and data, dropout or diffusion noise drawn from fold_in(key, step) of the same key are the same numbers in
#   the first steps, and look like two independent sources in the code.
# Seen: equal for i from 0 to 4 and n = 5; normal draws of shape (3,) equal.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet jax==0.10.2 numpy==2.4.6
venv/bin/python - <<'PY'
import jax
import numpy as np

key = jax.random.key(7)
split = jax.random.split(key, 5)
folded = [jax.random.fold_in(key, step) for step in range(5)]
same = [bool((jax.random.key_data(a) == jax.random.key_data(b)).all()) for a, b in zip(split, folded)]
weights, noise = jax.random.normal(jax.random.split(key)[0], (3,)), jax.random.normal(folded[0], (3,))
print(same, weights, noise)
assert all(same) and np.array_equal(weights, noise)
PY
