#!/usr/bin/env bash
# numpy 2.4.6, 2026-11-27: trailing zeros of a seed do not count.
# Guess: default_rng([7, 0]), say seed 7 and task 0, is another stream than default_rng(7).
# Behaviour: a seed is filled up with zeros to four words, so [7], [7, 0] and [7, 0, 0, 0] are one stream, and [0, 1] is 2**32.
#   The first of numbered streams is the stream of the plain seed. A fifth word, even 0, makes it another one.
# Seen: 0.62509547 for 7, [7, 0] and [7, 0, 0, 0]; 0.77014095 for [7, 1]; 0.79785919 for [7, 0, 0, 0, 0].
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet numpy==2.4.6
venv/bin/python - <<'PY'
import numpy as np


def first(seed):
    return np.random.default_rng(seed).random()


print(*(f"{seed}: {first(seed):.8f}" for seed in (7, [7, 0], [7, 0, 0, 0], [7, 1], [7, 0, 0, 0, 0])), sep="\n")
assert first(7) == first([7, 0]) == first([7, 0, 0, 0])
assert first(2**32) == first([0, 1])
assert len({first(7), first([7, 1]), first([7, 0, 0, 0, 0])}) == 3
PY
