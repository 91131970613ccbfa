#!/usr/bin/env bash
# Pillow 13.0.0 (numpy 2.4.6), 2026-11-27: a picture that was looked at shrinks to another one.
# Guess: image.thumbnail((56, 56)) of a JPEG gives the same pixels whether or not the image was loaded before.
# Behaviour: while nothing has touched the pixels the JPEG itself is decoded at a smaller scale before the resizing; after one
#   getpixel() the full picture is resized. Looking at one pixel in a check changes the training data.
# Seen: of 255, values apart by up to 5, by 0.8 on average; two runs of the same order 0.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet pillow==13.0.0 numpy==2.4.6
venv/bin/python - <<'PY'
import numpy as np
from PIL import Image

noise = np.random.default_rng(0).integers(0, 256, (448, 448, 3), dtype=np.uint8)
Image.fromarray(noise).save("photo.jpg", quality=95)


def small(look):
    with Image.open("photo.jpg") as image:
        if look:
            image.getpixel((0, 0))
        image.thumbnail((56, 56))
        return np.asarray(image).astype(int)


apart = np.abs(small(False) - small(True))
print(apart.max(), apart.mean().round(2), np.abs(small(True) - small(True)).max())
assert small(True).shape == small(False).shape and apart.max() > 2
PY
