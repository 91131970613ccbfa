#!/usr/bin/env bash
# flax 0.12.8 with jax 0.10.2 (numpy 2.4.6), 2026-11-28: a checkpoint of another width loads without a word.
# Guess: from_bytes takes a target with the structure that is expected, and raises where an array has another shape.
# Behaviour: of the target's arrays only the names count. Shape and type come from the file: a head for 10 classes becomes one for 100,
#   float32 becomes float16. Layers whose shapes happen to broadcast then run.
# Costs: a head of another task, or a bias of one number that broadcasts over all classes, is evaluated as if it were the right one.
# Seen: target (4, 10) float32 and (10,), file (4, 10) float16 and (1,): restored as in the file; x @ kernel + bias has shape (1, 10).
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet flax==0.12.8 jax==0.10.2 numpy==2.4.6
venv/bin/python - <<'PY'
import jax.numpy as jnp
from flax import serialization

target = {"kernel": jnp.zeros((4, 10)), "bias": jnp.zeros(10)}
saved = serialization.to_bytes({"kernel": jnp.ones((4, 10), jnp.float16), "bias": jnp.ones(1)})
restored = serialization.from_bytes(target, saved)
wide = serialization.from_bytes(target, serialization.to_bytes({"kernel": jnp.ones((4, 100)), "bias": jnp.ones(100)}))
out = jnp.ones((1, 4)) @ restored["kernel"] + restored["bias"]
seen = {name: (array.shape, str(array.dtype)) for name, array in restored.items()}
print(seen, wide["kernel"].shape, out.shape)
assert seen == {"kernel": ((4, 10), "float16"), "bias": ((1,), "float32")}
assert wide["kernel"].shape == (4, 100) and out.shape == (1, 10)
PY
