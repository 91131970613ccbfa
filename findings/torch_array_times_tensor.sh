#!/usr/bin/env bash
# torch 2.14.0 with numpy 2.4.6, 2026-11-27: tensor * array, but not array * tensor.
# Guess: np.ones(2) * torch.ones(2) works, whatever comes out, since torch.ones(2) * np.ones(2) and the comparison with == do.
# Behaviour: with the array on the left *, -, and @ raise TypeError, even a 0-d array; np.multiply of the same two gives a tensor, and so do
#   a numpy scalar on the left and ==.
# Seen: TypeError: unsupported operand type(s) for *: numpy.ndarray and Tensor; the others Tensor.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet torch==2.14.0 numpy==2.4.6
venv/bin/python - <<'PY'
import numpy as np
import torch

array, tensor = np.ones(2), torch.ones(2)
raised = 0
for product in (lambda: array * tensor, lambda: array - tensor, lambda: array @ tensor, lambda: np.array(0.1) * tensor):
    try:
        product()
    except TypeError as error:
        raised += 1
        print(error)
assert raised == 4
others = [tensor * array, np.multiply(array, tensor), np.float64(0.1) * tensor, array == tensor]
assert all(isinstance(other, torch.Tensor) for other in others)
PY
