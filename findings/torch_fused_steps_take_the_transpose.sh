#!/usr/bin/env bash
# torch 2.14.0 (numpy 2.4.6), 2026-11-28: optimisers with fused=True on a CPU, and a gradient that somebody set by hand.
# Expected: a parameter moves against its gradient, entry by entry, whatever way the gradient lies in memory; fused=True is only faster.
# Behaviour: Adam, AdamW, SGD and Adagrad with fused=True read parameter and gradient in the order of memory. If .grad is a transposed view of the right
#   shape (as `p.grad = (a @ b).T` gives), every entry moves by another entry's gradient. Nothing is raised or warned. foreach=True and the plain loop step rightly.
# Costs: a low-rank factor whose gradient is made by the chain rule learns nothing, whatever learning rate is tried, and the method looks bad.
# Seen: after one step of SGD from zero with lr 1 the plain loop leaves minus the gradient, fused=True the same six numbers in other places.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet torch==2.14.0 numpy==2.4.6
venv/bin/python - <<'PY'
import torch


def stepped(kind, **options):
    p = torch.nn.Parameter(torch.zeros(2, 3))
    p.grad = (torch.arange(6.0).reshape(3, 2) - 2.5).T
    getattr(torch.optim, kind)([p], lr=1.0, **options).step()
    return p.detach()


for kind in ("Adam", "AdamW", "SGD", "Adagrad"):
    plain, foreach, fused = stepped(kind, foreach=False), stepped(kind, foreach=True), stepped(kind, fused=True)
    print(kind, plain.tolist(), fused.tolist())
    assert torch.allclose(plain, foreach) and not torch.allclose(plain, fused)
    assert torch.equal(plain.sign(), -torch.tensor([[-1.0, -1, 1], [-1, 1, 1]])) and not torch.equal(plain.sign(), fused.sign())

gradient = (torch.arange(6.0).reshape(3, 2) - 2.5).T
assert torch.equal(stepped("SGD", foreach=False), -gradient)
assert torch.equal(stepped("SGD", fused=True).flatten(), -gradient.T.flatten()), "in the order of memory"
PY
