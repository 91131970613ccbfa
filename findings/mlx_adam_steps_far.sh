#!/usr/bin/env bash
# mlx 0.32.4 (numpy 2.4.6), 2026-11-28: Adam's first steps are three times as long as the learning rate.
# Guess: the first step of Adam, and of AdamW, is the learning rate in the direction of the gradient's sign, as in the paper.
# Behaviour: bias_correction is off by default. The first step is (1 - 0.9) / sqrt(1 - 0.999) = 3.16 learning rates, the second more, and the
#   steps stay too long for some thousand steps.
# Costs: a learning rate carried over from another framework fine-tunes pretrained weights with a multiple of it just where warm-up would matter.
# Seen: first step 3.16 learning rates for Adam and AdamW without decay, 1.0 with bias_correction=True; longest of 1000 equal gradients above 6.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet mlx[cpu]==0.32.4 numpy==2.4.6
venv/bin/python - <<'PY'
import mlx.core as mx
import mlx.optimizers as optim

mx.set_default_device(mx.cpu)


def steps(optimizer, n=1):
    weight, lengths = {"w": mx.zeros(1)}, []
    for _ in range(n):
        new = optimizer.apply_gradients({"w": mx.ones(1)}, weight)
        lengths.append((weight["w"] - new["w"]).item() / 1e-3)
        weight = new
        mx.eval(weight, optimizer.state)
    return lengths


first = [steps(o(1e-3, **more))[0] for o, more in ((optim.Adam, {}), (optim.AdamW, {"weight_decay": 0}))]
corrected, longest = steps(optim.Adam(1e-3, bias_correction=True))[0], max(steps(optim.Adam(1e-3), 1000))
print(first, corrected, longest)
assert all(abs(step - 10**0.5) < 1e-3 for step in first) and abs(corrected - 1) < 1e-3 and longest > 6
PY
