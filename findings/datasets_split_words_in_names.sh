#!/usr/bin/env bash
# datasets 5.2.0 (pyarrow 26.0.1, pillow 13.0.0, numpy 2.4.6), 2026-11-28: one picture of a train is the whole data set.
# Guess: "imagefolder" over folders of classes reads every picture into the split "train".
# Behaviour: where any name of a file or folder holds a word for a split (train, test, val, dev, eval and more) set off by _, -, space, dot or digit, only
#   what is so named is read, and all the rest is left out without a word. A class "train", as in CIFAR-100, or pictures named after prompts are enough.
# Costs: training goes on with a fraction of the pictures, all of them of one subject; a class called "train" is the only one left, and has no label.
# Seen: 20 cats and dogs give 20; with a picture beside_a_train.png of each, 2 of 22, labels and all; of bus, car and train (3 pictures each) 3, unlabelled.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet datasets==5.2.0 pyarrow==26.0.1 pillow==13.0.0 numpy==2.4.6
HF_HOME="$work/hf" HF_HUB_OFFLINE=1 venv/bin/python - <<'PY'
import warnings
from pathlib import Path

import datasets
from PIL import Image

warnings.simplefilter("error", UserWarning)
datasets.disable_progress_bars()


def read(root, classes, names):
    for name in classes:
        Path(root, name).mkdir(parents=True)
        for picture in names:
            Image.new("RGB", (4, 4)).save(f"{root}/{name}/{picture}.png")
    read = datasets.load_dataset("imagefolder", data_dir=root, split="train")
    return len(read), sorted(read.features)


plain = [f"picture_{i}" for i in range(10)]
all_of_them = read("plain", ["cat", "dog"], plain)
one_name_more = read("prompts", ["cat", "dog"], [*plain, "beside_a_train"])
vehicles = read("vehicles", ["bus", "car", "train"], plain[:3])
print(all_of_them, one_name_more, vehicles)
assert all_of_them == (20, ["image", "label"]) and one_name_more == (2, ["image", "label"]) and vehicles == (3, ["image"])
PY
