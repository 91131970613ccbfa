#!/usr/bin/env bash
# safetensors 0.8.0 with torch 2.14.0 (numpy 2.4.6), 2026-11-28: a conjugate is saved as what it is the conjugate of.
# Expected: safetensors.torch stores the values that the tensor shows, 1 - 2j for the conjugate of 1 + 2j.
# Behaviour: torch.conj only sets a mark on the same memory. safetensors writes the memory and not the mark: 1 + 2j comes back, without a
#   word. The tensor counts as contiguous, so the check for that lets it through. resolve_conj() first helps; torch.save keeps the values.
# Costs: spectra, filters and weights of Fourier layers are mirrored by a checkpoint.
# Seen: shown 1-2j, loaded 1+2j; after resolve_conj() 1-2j; by torch.save 1-2j.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet safetensors==0.8.0 torch==2.14.0 numpy==2.4.6
venv/bin/python - <<'PY'
import io

import torch
from safetensors.torch import load, save

tensor = torch.tensor([1 + 2j], dtype=torch.complex64).conj()
loaded = load(save({"w": tensor}))["w"]
resolved = load(save({"w": tensor.resolve_conj()}))["w"]
torch.save(tensor, buffer := io.BytesIO())
buffer.seek(0)
pickled = torch.load(buffer, weights_only=True)
print(tensor.tolist(), loaded.tolist(), resolved.tolist(), pickled.tolist())
assert tensor.is_contiguous() and tensor.tolist() == [1 - 2j] and loaded.tolist() == [1 + 2j]
assert resolved.tolist() == pickled.tolist() == [1 - 2j]
PY
