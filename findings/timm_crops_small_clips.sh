#!/usr/bin/env bash
# timm 1.0.31 with torch 2.14.0, torchvision 0.29.2 (numpy 2.4.6), 2026-11-28: the same CLIP, cropped in one size and not in the other.
# Guess: for weights of OpenAI, timm evaluates as CLIP does: the short side to 224 pixels, then the middle square, nothing cut off it.
# Behaviour: so it is for ViT-L/14. For ViT-B/16, ViT-B/32 and ResNet-50 the settings say crop_pct 0.9: the short side goes to 248 pixels and a fifth of the
#   square is cut away. Zero-shot accuracy by timm is then that of other pictures.
# Seen: crop_pct B/16 0.9, B/32 0.9, RN50 0.9, L/14 1.0, L/14 at 336 1.0; the first Resize for B/16: 248, for L/14: 224.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet torch==2.14.0 torchvision==0.29.2 numpy==2.4.6 timm==1.0.31
venv/bin/python - <<'PY'
import timm
from timm.data import create_transform, resolve_data_config

kept = {}
for name in ("vit_base_patch16_clip_224", "vit_base_patch32_clip_224", "resnet50_clip", "vit_large_patch14_clip_224"):
    settings = timm.models.get_pretrained_cfg(f"{name}.openai").to_dict()
    chosen = resolve_data_config({}, pretrained_cfg=settings)
    kept[name] = chosen["crop_pct"], create_transform(**chosen).transforms[0].size
print(kept)
assert [kept[n] for n in kept] == [(0.9, 248)] * 3 + [(1.0, 224)]
PY
