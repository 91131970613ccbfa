#!/usr/bin/env bash
# torch 2.14.0 (numpy 2.4.6, pillow 13.0.0), 2026-11-28: antialias changes a bicubic enlargement.
# Guess: antialiasing acts on shrinking only; enlarged, a picture is the same with and without it.
# Behaviour: so it is for bilinear. Bicubic takes another kernel: a = -0.75 without antialias, a = -0.5 with it (as Pillow has it). Position
#   embeddings and pictures enlarged by two libraries differ by this alone.
# Seen: largest difference on 8 x 8 values in [0, 1] enlarged to 16 x 16: bilinear 1e-07, bicubic 0.049; Pillow against antialias 1e-07.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet torch==2.14.0 numpy==2.4.6 pillow==13.0.0
venv/bin/python - <<'PY'
import numpy as np
import torch
from PIL import Image
from torch.nn.functional import interpolate

picture = torch.rand(1, 1, 8, 8, generator=torch.Generator().manual_seed(0))


def enlarged(mode, antialias):
    return interpolate(picture, size=16, mode=mode, align_corners=False, antialias=antialias)[0, 0]


def apart(mode):
    return (enlarged(mode, False) - enlarged(mode, True)).abs().max().item()


pillow = Image.fromarray(picture[0, 0].numpy()).resize((16, 16), Image.Resampling.BICUBIC)
with_pillow = np.abs(np.asarray(pillow) - enlarged("bicubic", True).numpy()).max()
print(apart("bilinear"), apart("bicubic"), with_pillow)
assert apart("bilinear") < 1e-5 and apart("bicubic") > 0.03 and with_pillow < 1e-5
PY
