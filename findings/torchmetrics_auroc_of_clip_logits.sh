#!/usr/bin/env bash
# torchmetrics 1.9.0 with torch 2.14.0 (numpy 2.4.6), 2026-11-28: perfectly ranked logits get the area of a coin.
# Expected: AUROC depends on the order of the scores only, so that logits 20 to 35, every positive above every negative, give 1.
# Behaviour: values outside [0, 1] are taken for logits and sent through a sigmoid in the tensor's own precision. From about 17 up that is
#   exactly 1 in float32: all scores are tied, the area is 0.5, and the average precision the share of positives. Nothing warns.
# Costs: CLIP's logits (100 times the cosine) lie between 15 and 40; out-of-distribution detection and zero-shot tagging look like chance.
# Seen: area 0.5 and average precision 0.5 for 20, 25 | 30, 35; the same cosines, 0.20 to 0.35: 1.0 and 1.0; logits in float64: 1.0.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet torchmetrics==1.9.0 torch==2.14.0 numpy==2.4.6
venv/bin/python - <<'PY'
import torch
from torchmetrics.functional.classification import binary_auroc, binary_average_precision

labels, cosines = torch.tensor([0, 0, 1, 1]), torch.tensor([0.20, 0.25, 0.30, 0.35])
logits = 100 * cosines
seen = [round(f(s, labels).item(), 4) for s in (logits, cosines) for f in (binary_auroc, binary_average_precision)]
double = binary_auroc(logits.double(), labels).item()
print(seen, double)
assert seen == [0.5, 0.5, 1.0, 1.0] and double == 1
PY
