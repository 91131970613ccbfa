#!/usr/bin/env bash
# datasets 5.2.0 (pyarrow 26.0.1, numpy 2.4.6), 2026-11-28: numpy's format is not the column's.
# Expected: with_format("numpy") gives float64 for a float64 column and uint64 for a uint64 one; numpy has both.
# Behaviour: every float becomes float32 and every integer int64, as a tensor would. 64-bit hashes from 2**63 up turn negative, times in
#   seconds are off by up to a minute, loss differences below 1e-7 vanish. features still says float64 and uint64; nothing warns.
# Costs: perceptual hashes no longer match those computed outside, events change their order, scores tie that do not.
# Seen: 1764316800.0 + 1 and + 2 seconds both 1764316800; 2**63 + 5 as -9223372036854775803; format "arrow" keeps all.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet datasets==5.2.0 pyarrow==26.0.1 numpy==2.4.6
venv/bin/python - <<'PY'
import datasets
import numpy as np

seconds = np.array([1764316801.0, 1764316802.0])
hashes = np.array([2**63 + 5, 7], dtype=np.uint64)
data = datasets.Dataset.from_dict({"time": seconds, "hash": hashes})
seen = data.with_format("numpy")[:]
kept = data.with_format("arrow")[:]
print(data.features, seen, kept["hash"].to_pylist())
assert str(data.features["time"].dtype) == "float64" and str(data.features["hash"].dtype) == "uint64"
assert seen["time"].dtype == np.float32 and seen["time"][0] == seen["time"][1] == 1764316800
assert seen["hash"].tolist() == [-9223372036854775803, 7]
assert kept["hash"].to_pylist() == hashes.tolist() and kept["time"].to_pylist() == seconds.tolist()
PY
