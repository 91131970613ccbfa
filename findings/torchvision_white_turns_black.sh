#!/usr/bin/env bash
# torchvision 0.29.2 with torch 2.14.0 (pillow 13.0.0, numpy 2.4.6), 2026-11-28: a resized picture has black specks in its white and white ones in its black.
# Guess: a float picture that bicubic resizing takes a little above 1 or below 0 becomes white or black, as save_image makes it.
# Behaviour: resize does not clamp floats, and both to_pil_image and ToDtype(uint8, scale=True) let the numbers wrap (seen on x86-64): just above 1 is black,
#   just below 0 is white. The same picture resized as uint8 is right, and so is torchvision.utils.save_image, which clamps.
# Costs: generated pictures get specks at every sharp edge before they are shown to CLIP, scored or kept for training; no warning is given.
# Seen: a black and white edge, 32 to 24 wide: 1.005 becomes 0 (1 with ToDtype) and -0.005 becomes 255; as uint8 and by save_image 255 and 0.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet torchvision==0.29.2 torch==2.14.0 pillow==13.0.0 numpy==2.4.6
venv/bin/python - <<'PY'
import numpy as np
import torch
from PIL import Image
from torchvision.transforms import v2
from torchvision.utils import save_image

edge = torch.zeros(3, 32, 32)
edge[:, :, 16:] = 1
shrink = v2.Resize([24, 24], interpolation=v2.InterpolationMode.BICUBIC, antialias=True)
small = shrink(edge)
save_image(small, "small.png")


def row(picture):
    return np.array(picture)[0, :, 0].astype(int)


pil = row(v2.ToPILImage()(small))
typed = v2.ToDtype(torch.uint8, scale=True)(small)[0, 0].numpy().astype(int)
right, also_right = row(Image.open("small.png")), row(v2.ToPILImage()(shrink((edge * 255).to(torch.uint8))))
high, low = small[0, 0].argmax().item(), small[0, 0].argmin().item()
print(small[0, 0, high].item(), small[0, 0, low].item(), [(kind[high], kind[low]) for kind in (pil, typed, right, also_right)])
assert 1 < small[0, 0, high] < 1.01 and -0.01 < small[0, 0, low] < 0
assert (pil[high], pil[low]) == (0, 255) and (typed[high], typed[low]) == (1, 255)
assert (right[high], right[low]) == (also_right[high], also_right[low]) == (255, 0)
PY
