#!/usr/bin/env bash
# peft 0.21.2 with torch 2.14.0 (transformers 5.23.0, accelerate 1.15.0, numpy 2.4.6), 2026-11-28: a look at the base model changes the model.
# Guess: "with model.disable_adapter()" shows the base model and leaves the model behind it as it was found, merged adapters too.
# Behaviour: inside it is the base model. On the way in whatever was merged is taken out of the weights, on the way out only the active adapter
#  is switched on. Of two adapters merged by merge_adapter(["one", "two"]) the one that is not active is gone; where "two" was merged
#  while "one" was active, the model is now "one". Nothing warns. Merged with set_adapter's single adapter the answers stay.
# Costs: adapters of several tasks are merged, the zero-shot accuracy or a distillation target is taken from the base in between, and every
#  number after that belongs to one task's adapter.
# Seen: merged, the answers are those of both to 1e-6; after an empty "with" they are those of "one"; "two" merged alone: the same.
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
base, eye = torch.nn.Sequential(torch.nn.Linear(8, 8)), torch.eye(8)
start = base(eye).detach()
config = LoraConfig(target_modules=["0"], r=4, init_lora_weights=False)
model = get_peft_model(base, config, adapter_name="one")
model.add_adapter("two", config)


def change():
    return (model(eye) - start).detach()


def same(left, right):
    return torch.allclose(left, right, atol=1e-5)


parts = {}
for name in ("two", "one"):
    model.set_adapter(name)
    parts[name] = change()
for merged in (["one", "two"], ["two"]):
    model.merge_adapter(merged)
    before = change()
    with model.disable_adapter():
        inside = change()
    after = change()
    print(merged, before.norm().item(), inside.norm().item(), after.norm().item())
    assert same(before, sum(parts[name] for name in merged)) and same(inside, torch.zeros(8, 8))
    assert same(after, parts["one"]) and not same(after, before)
PY
