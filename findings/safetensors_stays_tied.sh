#!/usr/bin/env bash
# torch 2.14.0 and safetensors 0.8.0 (numpy 2.4.6), 2026-11-27: loaded weights stay tied to their file.
# Guess: load_file reads the weights; what happens to the file afterwards does not matter.
# Behaviour: on the CPU the tensors are a map of the file. Other bytes written into the same file, as some copy tools do,
#   change the weights of the running program. save_file puts a new file in the place of the old one and does no harm.
# Seen: mean of the loaded zeros 0.0, after writing ones into the file 1.0, after save_file over it 0.0.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet torch==2.14.0 numpy==2.4.6 safetensors==0.8.0
venv/bin/python - <<'PY'
import torch
from safetensors.torch import load_file, save, save_file

zeros, ones = {"w": torch.zeros(100_000)}, {"w": torch.ones(100_000)}
save_file(zeros, "a.safetensors")
save_file(zeros, "b.safetensors")
tied, untied = load_file("a.safetensors")["w"], load_file("b.safetensors")["w"]
with open("a.safetensors", "r+b") as file:
    file.write(save(ones))
save_file(ones, "b.safetensors")
print(tied.mean().item(), untied.mean().item())
assert tied.mean() == 1.0 and untied.mean() == 0.0
PY
