#!/usr/bin/env bash
# safetensors 0.8.0 with numpy 2.4.6, 2026-11-28: a transposed weight is saved as another matrix.
# Guess: safetensors.numpy stores the values of a transposed array, or raises as safetensors.torch does for what is not contiguous.
# Behaviour: it writes the memory as it lies beside the shape of the view. Shape and number of values are right, their places are not;
#   nothing warns. Transposed arrays, and arrays in Fortran's order, are hit; np.ascontiguousarray helps.
# Costs: weights carried from one framework to another (x @ W in one, W @ x in the other) load without an error and compute nonsense.
# Seen: [[0, 3], [1, 4], [2, 5]] comes back as [[0, 1], [2, 3], [4, 5]]; in Fortran's order [[0, 1, 2], [3, 4, 5]] as [[0, 3, 1], [4, 2, 5]].
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet safetensors==0.8.0 numpy==2.4.6
venv/bin/python - <<'PY'
import numpy as np
from safetensors.numpy import load, save

weight = np.arange(6, dtype=np.float32).reshape(2, 3)


def through(array):
    return load(save({"weight": array}))["weight"].tolist()


turned, fortran = through(weight.T), through(np.asfortranarray(weight))
print(weight.T.tolist(), turned, weight.tolist(), fortran)
assert turned == [[0, 1], [2, 3], [4, 5]] and fortran == [[0, 3, 1], [4, 2, 5]]
assert through(np.ascontiguousarray(weight.T)) == weight.T.tolist()
PY
