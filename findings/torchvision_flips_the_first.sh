#!/usr/bin/env bash
# torchvision 0.29.2 with torch 2.14.0 (pillow 13.0.0, numpy 2.4.6), 2026-11-28: of two pictures in a sample one is turned.
# Guess: a v2 transform treats a sample of two plain tensors alike: both pictures are flipped, or both left as they are.
# Behaviour: where a sample holds no picture that is declared as one, the FIRST plain tensor counts as the picture and all others pass through.
#   The order of a dict decides which; if a PIL picture or tv_tensors.Image is there, no plain tensor is touched. Nothing warns.
# Costs: pairs of views, teacher and student inputs, pictures and masks part ways under augmentation, by the order of their keys.
# Seen: {mask, image} flips the mask only, {image, mask} the image only; a pair only its first; beside a PIL picture none of the tensors.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet torchvision==0.29.2 torch==2.14.0 pillow==13.0.0 numpy==2.4.6
venv/bin/python - <<'PY'
import torch
from PIL import Image
from torchvision.transforms import v2

flip, plain = v2.RandomHorizontalFlip(p=1.0), torch.tensor([[[0.0, 1.0]]])


def flipped(sample):
    return [name for name, value in flip(sample).items() if isinstance(value, torch.Tensor) and value[0, 0, 0] == 1]


one, other = flipped({"mask": plain, "image": plain}), flipped({"image": plain, "mask": plain})
beside = flipped({"mask": plain, "image": Image.new("L", (2, 1))})
pair = [view[0, 0].tolist() for view in flip((plain, plain))]
print(one, other, beside, pair)
assert one == ["mask"] and other == ["image"] and beside == [] and pair == [[1, 0], [0, 1]]
PY
