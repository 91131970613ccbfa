#!/usr/bin/env bash
# mosaicml-streaming 0.13.0 (torch 2.14.0, torchvision 0.29.2, pillow 13.0.0, numpy 2.1.3), 2026-11-28: a lossless column turns pictures black.
# Expected: the encoding "pil", made for PIL pictures, gives back the picture that was written, in every mode it takes.
# Behaviour: it stores mode, size and bytes, and not the palette. A picture of mode P (GIFs, many PNGs, masks) comes back with its indices and without colours;
#   convert("RGB") makes black of them. "png" keeps the palette. Grey, RGB, RGBA and 16-bit pictures come back whole.
# Costs: part of a training set is black, and only that part which came as GIF or as palette PNG.
# Seen: colours (9, 9, 9) and (200, 0, 0): by "pil" (0, 0, 0) twice, indices 0 and 1 kept; by "png" as written; an RGB picture by "pil" as written.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet mosaicml-streaming==0.13.0 torch==2.14.0 torchvision==0.29.2 pillow==13.0.0 numpy==2.1.3
venv/bin/python - <<'PY'
import numpy as np
from PIL import Image
from streaming import MDSWriter, StreamingDataset

palette = Image.fromarray(np.array([[0, 1]], dtype=np.uint8)).convert("P")
palette.putpalette([9, 9, 9, 200, 0, 0])


def through(encoding, picture):
    with MDSWriter(out=f"{encoding}-{picture.mode}", columns={"x": encoding}) as writer:
        writer.write({"x": picture})
    return next(iter(StreamingDataset(local=f"{encoding}-{picture.mode}", batch_size=1)))["x"]


def colours(picture):
    return [tuple(c) for c in np.array(picture.convert("RGB"))[0].tolist()]


black, kept, plain = through("pil", palette), through("png", palette), through("pil", palette.convert("RGB"))
print(colours(palette), colours(black), colours(kept), colours(plain), np.array(black).tolist())
assert colours(palette) == colours(kept) == colours(plain) == [(9, 9, 9), (200, 0, 0)]
assert black.mode == "P" and np.array(black).tolist() == [[0, 1]] and colours(black) == [(0, 0, 0)] * 2
PY
