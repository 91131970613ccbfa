#!/usr/bin/env bash
# keras 3.15.1 with jax 0.10.2 (pillow 13.0.0, numpy 2.4.6), 2026-11-28: a saved picture has another contrast.
# Expected: save_img writes the values 100 and 101 of an 8-bit picture, and load_img reads 100 and 101.
# Behaviour: scale is on by default: each picture's darkest value becomes 0 and its brightest 255, also for uint8, and each picture on its own. array_to_img does
#   the same. A picture of one value becomes black. scale=False writes what is there.
# Costs: generated or cropped pictures that went through a folder are brighter and harsher than those that were trained on, each by another factor.
# Seen: 100, 101 as 0, 255; 100, 100 as 0, 0; with scale=False 100, 101.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet keras==3.15.1 jax==0.10.2 pillow==13.0.0 numpy==2.4.6
venv/bin/python - <<'PY'
import os

os.environ["KERAS_BACKEND"] = "jax"
import numpy as np
from keras.utils import load_img, save_img


def through(*values, **more):
    save_img("x.png", np.array(values, dtype=np.uint8).reshape(1, -1, 1), **more)
    return np.array(load_img("x.png", color_mode="grayscale")).ravel().tolist()


near, flat, plain = through(100, 101), through(100, 100), through(100, 101, scale=False)
print(near, flat, plain)
assert near == [0, 255] and flat == [0, 0] and plain == [100, 101]
PY
