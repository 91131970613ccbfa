#!/usr/bin/env bash
# torch 2.14.0 (numpy 2.4.6), 2026-11-27: a distance to oneself that depends on how many look.
# Guess: torch.cdist(x, x) has zeros on its diagonal, whatever the number of rows.
# Behaviour: above 25 rows it goes through a matrix product, |a|^2 + |b|^2 - 2ab, whose cancellation makes the
#   distance of a row to itself as large as the true distances. Features that lie far from the origin suffer most.
# Seen: largest diagonal entry 0.0 with 25 rows, 0.09 with 26 (the rows lie within a cube of edge 1 around 100).
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet torch==2.14.0 numpy==2.4.6
venv/bin/python - <<'PY'
import torch

rows = 100 + torch.rand(26, 4, generator=torch.Generator().manual_seed(0))
own = [torch.cdist(rows[:n], rows[:n]).diagonal().max().item() for n in (25, 26)]
exact = torch.cdist(rows, rows, compute_mode="donot_use_mm_for_euclid_dist").diagonal().max().item()
print(own, exact)
assert own[0] == exact == 0.0 and own[1] > 0.01
PY
