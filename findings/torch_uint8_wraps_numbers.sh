#!/usr/bin/env bash
# torch 2.14.0 (numpy 2.4.6), 2026-11-28: comparing a uint8 tensor with a number first turns the number into uint8.
# Guess: every value of a picture is below 300, and none equals -1 (numpy 2 answers both so).
# Behaviour: the number wraps silently: 300 becomes 44 and -1 becomes 255. A mask for "no label" (-1) marks the label 255.
#   A tensor of no dimension wraps, too; torch.isin does not.
# Seen: [0, 44, 255] < 300: True, False, False; == -1: False, False, True; numpy: three times True and three times False;
#   <= torch.tensor(300): True, True, False; isin [300]: three times False.
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

pixels = torch.tensor([0, 44, 255], dtype=torch.uint8)
below, equal = (pixels < 300).tolist(), (pixels == -1).tolist()
known = torch.isin(pixels, torch.tensor([300])).tolist()
other = np.array([0, 44, 255], dtype=np.uint8)
scalar = (pixels <= torch.tensor(300)).tolist()
print(below, equal, scalar, (other < 300).tolist(), (other == -1).tolist(), known)
assert below == [True, False, False] and equal == [False, False, True] and scalar == [True, True, False]
assert (other < 300).all() and not (other == -1).any() and not any(known)
PY
