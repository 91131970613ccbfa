#!/usr/bin/env bash
# zarr 3.1.6 (numpy 2.4.6), 2026-11-27: a lost file reads as black.
# Guess: an array of pictures whose chunk file is missing, after a broken copy say, raises when that part is read.
# Behaviour: a chunk that is not there is, by the format, one that was never written: it reads as the fill value, 0. No
#   error, no warning; the shape and all other values are right.
# Seen: [[0, 0, 7, 7], [0, 0, 7, 7], [7, 7, 7, 7], [7, 7, 7, 7]]
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet numpy==2.4.6 zarr==3.1.6
venv/bin/python - <<'PY'
from pathlib import Path

import zarr

array = zarr.create_array("pictures.zarr", shape=(4, 4), chunks=(2, 2), dtype="uint8")
array[:] = 7
Path("pictures.zarr/c/0/0").unlink()
seen = zarr.open_array("pictures.zarr", mode="r")[:].tolist()
print(seen)
assert seen == [[0, 0, 7, 7]] * 2 + [[7] * 4] * 2
PY
