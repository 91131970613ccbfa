#!/usr/bin/env bash
# safetensors 0.8.0 (numpy 2.4.6), 2026-11-27: equal weights, other bytes.
# Guess: saving the same tensors with the same metadata twice gives the same file.
# Behaviour: the metadata is written in another order at each call, in one process too, so that files with two entries or more, and
#   their hashes, differ. Tensors are sorted; without metadata the bytes repeat.
# Seen: 20 saves with eight entries of metadata give about 20 different files, without metadata 1.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet numpy==2.4.6 safetensors==0.8.0
venv/bin/python - <<'PY'
import numpy as np
from safetensors.numpy import save

weights = {"b": np.ones(3, "f4"), "a": np.zeros(3, "f4")}
notes = {f"key{i}": str(i) for i in range(8)}
files = {save(weights, metadata=notes) for _ in range(20)}
print(len(files), "different files")
assert len(files) > 1
assert len({save(weights) for _ in range(20)}) == 1
PY
