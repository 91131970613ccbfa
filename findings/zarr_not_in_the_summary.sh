#!/usr/bin/env bash
# zarr 3.1.6 (numpy 2.4.6), 2026-11-27: an array that is on the disk and cannot be found.
# Guess: after consolidate_metadata a group opened as usual still shows an array that was created later.
# Behaviour: open_group prefers the summary wherever there is one, without being asked, and create_array does not bring it up to
#   date: the new array is on the disk, yet the group opened again does not have it. use_consolidated=False finds it.
# Seen: ['a'] as usual, ['a', 'b'] without the summary.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet zarr==3.1.6 numpy==2.4.6
venv/bin/python - <<'PY'
import warnings
from pathlib import Path

import numpy as np
import zarr

warnings.simplefilter("ignore")  # "consolidated metadata is not part of the format"
zarr.open_group("runs.zarr", mode="w").create_array("a", data=np.arange(3))
zarr.consolidate_metadata("runs.zarr")
zarr.open_group("runs.zarr", mode="a").create_array("b", data=np.arange(3))
usual = sorted(zarr.open_group("runs.zarr", mode="r").array_keys())
plain = sorted(zarr.open_group("runs.zarr", mode="r", use_consolidated=False).array_keys())
print(usual, plain, Path("runs.zarr/b/zarr.json").exists())
assert usual == ["a"] and plain == ["a", "b"]
PY
