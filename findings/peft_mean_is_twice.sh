#!/usr/bin/env bash
# peft 0.21.2 with torch 2.14.0 (transformers 5.23.0, accelerate 1.15.0, numpy 2.4.6), 2026-11-28: the mean of equal adapters is a multiple of them.
# Guess: add_weighted_adapter with "linear" and weights that sum to 1 averages; the mean of an adapter with itself is that adapter.
# Behaviour: it adds up the factors A and B, each times the root of its weight, and multiplies the two sums. Of n equal adapters with weights
#   1/n that makes n times the adapter; of different ones it keeps products of one's A with the other's B. "cat" and "svd" give the mean.
# Costs: a merge of LoRA adapters trained from one start on n tasks is about n times too long a step, and gets worse with every task.
# Seen: mean divided by the adapter 2.0 for two, 4.0 for four; with "cat" 1.0.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet peft==0.21.2 torch==2.14.0 transformers==5.23.0 accelerate==1.15.0 numpy==2.4.6
venv/bin/python - <<'PY'
import torch
from peft import LoraConfig, get_peft_model

torch.manual_seed(0)
config = LoraConfig(target_modules=["0"], r=2, init_lora_weights=False)
model = get_peft_model(torch.nn.Sequential(torch.nn.Linear(8, 8)), config, adapter_name="0")
layer = model.base_model.model[0]
for n in "123":
    model.add_adapter(n, config)
    for factor in (layer.lora_A, layer.lora_B):
        factor[n].load_state_dict(factor["0"].state_dict())


def ratio(names, kind):
    merged = f"mean of {len(names)}, {kind}"
    model.add_weighted_adapter(list(names), [1 / len(names)] * len(names), merged, combination_type=kind)
    of_mean, of_one = layer.get_delta_weight(merged), layer.get_delta_weight("0")
    factor = (of_mean.norm() / of_one.norm()).item()
    torch.testing.assert_close(of_mean, factor * of_one)
    return factor


two, four, cat = ratio("01", "linear"), ratio("0123", "linear"), ratio("0123", "cat")
print(two, four, cat)
assert abs(two - 2) < 1e-4 and abs(four - 4) < 1e-4 and abs(cat - 1) < 1e-4
PY
