#!/usr/bin/env bash
# thop 0.1.1.post2209072238, fvcore 0.1.5.post20221221, torchinfo 1.8.0, ptflops 0.7.5, torch 2.14.0 (numpy 2.4.6), 2026-11-27: what attention costs.
# Guess: counters of operations agree on one nn.MultiheadAttention within ten percent, once a multiply-add is a multiply-add.
# Behaviour: projections and attention are 1,139,200 multiply-adds. thop and torchinfo say 0, since no submodule is called; fvcore and torch's own
#   FlopCounterMode say 819,200, since neither knows the fused attention of the CPU; ptflops says 1,165,200.
# Seen: thop 0, torchinfo 0, fvcore 819200, torch 819200, ptflops 1165200; FlopCounterMode around fused attention alone: 0.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet torch==2.14.0 numpy==2.4.6 thop==0.1.1.post2209072238 fvcore==0.1.5.post20221221 torchinfo==1.8.0 ptflops==0.7.5
venv/bin/python - <<'PY'
import contextlib
import io

import ptflops
import thop
import torch
import torchinfo
from fvcore.nn import FlopCountAnalysis
from torch import nn
from torch.nn.functional import scaled_dot_product_attention
from torch.utils.flop_counter import FlopCounterMode


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.attn = nn.MultiheadAttention(64, 4, batch_first=True)

    def forward(self, x):
        return self.attn(x, x, x, need_weights=False)[0]


def torch_macs(call):
    with FlopCounterMode(display=False) as counter:
        call()
    return counter.get_total_flops() // 2


model, x, q = Attention(), torch.randn(1, 50, 64), torch.randn(1, 4, 50, 16)
true = 4 * 50 * 64 * 64 + 2 * 50 * 50 * 64
counted = {"torchinfo": torchinfo.summary(model, input_data=x, verbose=0).total_mult_adds}
counted["fvcore"] = FlopCountAnalysis(model, x).unsupported_ops_warnings(False).uncalled_modules_warnings(False).total()
counted["torch"] = torch_macs(lambda: model(x))
with contextlib.redirect_stdout(io.StringIO()):
    counted["ptflops"] = ptflops.get_model_complexity_info(
        Attention(), (50, 64), as_strings=False, print_per_layer_stat=False, backend="pytorch"
    )[0]
    counted["thop"] = int(thop.profile(Attention(), (x,), verbose=False)[0])
fused = torch_macs(lambda: scaled_dot_product_attention(q, q, q))
print(true, counted, fused)
assert counted == {"torchinfo": 0, "fvcore": 819200, "torch": 819200, "ptflops": 1165200, "thop": 0}
assert true == 1139200 and fused == 0
PY
