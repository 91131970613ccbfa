#!/usr/bin/env bash
# joblib 1.6.0 with torch 2.14.0 (numpy 2.4.6), 2026-11-27: a cache that never hits.
# Guess: joblib.hash is the same for equal tensors, so joblib.Memory finds the result of an equal call again.
# Behaviour: a pickled tensor holds the address of its storage, and the hash with it: two equal tensors have two hashes, and
#   Memory computes, and stores, every call. Equal numpy arrays have one hash.
# Seen: tensors False, arrays True; two calls with equal tensors computed 2 times.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet torch==2.14.0 numpy==2.4.6 joblib==1.6.0
venv/bin/python - <<'PY'
import joblib
import numpy as np
import torch

first, second = torch.ones(3), torch.ones(3)
memory, calls = joblib.Memory("cache", verbose=0), []


def total(x):
    calls.append(1)
    return x.sum().item()


cached = memory.cache(total)
cached(first)
cached(second)
alike = joblib.hash(first) == joblib.hash(second), joblib.hash(first.numpy()) == joblib.hash(second.numpy())
print(alike, len(calls))
assert alike == (False, True) and len(calls) == 2
assert joblib.hash(np.ones(3)) == joblib.hash(np.ones(3))
PY
