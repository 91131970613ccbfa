#!/usr/bin/env bash
# timm 1.0.31 with torchvision 0.29.2, torch 2.14.0 (pillow 13.0.0, numpy 2.4.6), 2026-11-28: one folder, and other class numbers in timm than in torchvision.
# Guess: timm's ImageDataset and torchvision's ImageFolder read the same pictures from a folder of classes, and number the classes alike.
# Behaviour: torchvision sorts the names as texts, timm as people do: numbers by value, no difference of small and capital letters. So the class 10 is 2 to
#   one and 10 to the other. timm also leaves out .webp, .bmp, .tiff and what else is neither JPEG nor PNG, without a word.
# Costs: a head trained through one and measured through the other is wrong on most classes, and says nothing, for shapes and counts agree.
# Seen: of classes 0 to 11 ten have another number; apple, Bear, cat are 0, 1, 2 to timm and 1, 0, 2 to torchvision; of 5 kinds of file timm reads 2.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet timm==1.0.31 torchvision==0.29.2 torch==2.14.0 pillow==13.0.0 numpy==2.4.6
venv/bin/python - <<'PY'
import warnings
from pathlib import Path

from PIL import Image
from timm.data import ImageDataset
from torchvision.datasets import ImageFolder

warnings.simplefilter("error", UserWarning)


def read(root, names, kinds=("png",)):
    for name in names:
        Path(root, name).mkdir(parents=True)
        for kind in kinds:
            Image.new("RGB", (4, 4)).save(f"{root}/{name}/x.{kind}")
    return ImageDataset(root), ImageFolder(root)


timm_data, vision_data = read("n", map(str, range(12)))
timm_numbers, vision_numbers = timm_data.reader.class_to_idx, vision_data.class_to_idx
moved = [name for name in vision_numbers if timm_numbers[name] != vision_numbers[name]]
timm_words, vision_words = read("w", ["apple", "Bear", "cat"])
timm_kinds, vision_kinds = read("k", ["a"], ("png", "jpg", "webp", "bmp", "tiff"))
print(moved, timm_words.reader.class_to_idx, vision_words.class_to_idx, len(timm_kinds), len(vision_kinds))
assert len(moved) == 10 and timm_numbers["10"] == 10 and vision_numbers["10"] == 2
assert timm_words.reader.class_to_idx == {"apple": 0, "Bear": 1, "cat": 2} and vision_words.class_to_idx == {"Bear": 0, "apple": 1, "cat": 2}
assert len(timm_kinds) == 2 and len(vision_kinds) == 5
PY
