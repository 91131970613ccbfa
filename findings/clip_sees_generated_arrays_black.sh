#!/usr/bin/env bash
# transformers 5.23.0 with diffusers 0.42.1, torch 2.14.0, torchvision 0.29.2 (pillow 13.0.0, numpy 2.4.6), 2026-11-28: what diffusers makes is black to CLIP.
# Guess: CLIPImageProcessor takes the arrays that diffusers returns for output_type "np" (or "pt") as it takes the PIL pictures of "pil".
# Behaviour: diffusers' arrays are in [0, 1]; CLIPImageProcessor divides whatever it gets by 255. Every picture becomes nearly black, without
#   a warning, and embeds as such. The way back is as silent: VaeImageProcessor divides PIL pictures by 255, but not arrays of uint8.
# Costs: CLIP scores, filters and features of generated pictures are those of black squares: nearly the same for all.
# Seen: standard deviation of what CLIP gets 1.09 from "pil", 0.14 from "np" and "pt"; VaeImageProcessor's range for uint8 up to 509 instead of 1.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet transformers==5.23.0 diffusers==0.42.1 torch==2.14.0 torchvision==0.29.2 pillow==13.0.0 numpy==2.4.6
venv/bin/python - <<'PY'
import warnings

import numpy as np
from diffusers.image_processor import VaeImageProcessor
from PIL import Image
from transformers import CLIPImageProcessor

pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3)).astype(np.uint8)
clip = CLIPImageProcessor(size={"shortest_edge": 32}, crop_size=32)
vae = VaeImageProcessor()
tensor = vae.preprocess(Image.fromarray(pixels))
with warnings.catch_warnings():
    warnings.simplefilter("error")
    outputs = [vae.postprocess(tensor, output_type=kind) for kind in ("pil", "np", "pt")]
    seen = [clip(list(output), return_tensors="pt")["pixel_values"] for output in outputs]
    raised = vae.preprocess(pixels).max().item()
spread = [round(values.std().item(), 2) for values in seen]
print(spread, raised)
assert spread[0] > 1 and spread[1] < 0.15 and spread[2] < 0.15
assert abs(seen[1].amax() - seen[1].amin()) < 0.5 and raised == 509
PY
