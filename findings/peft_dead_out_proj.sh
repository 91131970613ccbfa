#!/usr/bin/env bash
# peft 0.21.2 with torch 2.14.0 (numpy 2.4.6), 2026-11-27: an adapter that nothing passes through.
# Guess: LoRA on "out_proj" of a CLIP tower built on nn.MultiheadAttention adapts the output projection, or is refused.
# Behaviour: the layer is wrapped and counted as trainable, but attention reads its weight without calling it: the output does not
#   depend on the adapter and no gradient reaches it. target_modules="all-linear" picks the same dead layer. No warning.
# Seen: trained with fc beside it, out_proj has gradient None, fc has one; the output moves by 0.0 with out_proj alone.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet torch==2.14.0 numpy==2.4.6 peft==0.21.2
venv/bin/python - <<'PY'
import peft
import torch
from torch import nn


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.attn, self.fc = nn.MultiheadAttention(8, 2, batch_first=True), nn.Linear(8, 8)

    def forward(self, x):
        return self.fc(self.attn(x, x, x)[0])


def adapt(targets):
    torch.manual_seed(0)
    config = peft.LoraConfig(r=2, target_modules=targets, init_lora_weights=False)
    return peft.get_peft_model(Block(), config), torch.randn(1, 3, 8)


model, x = adapt(["out_proj"])
with model.disable_adapter():
    plain = model(x)
moved = (model(x) - plain).abs().max().item()
model, x = adapt("all-linear")
model(x).sum().backward()
reached = {name.split(".")[-4]: p.grad is not None for name, p in model.named_parameters() if p.requires_grad}
print(moved, reached)
assert moved == 0.0 and reached == {"out_proj": False, "fc": True}
PY
