#!/usr/bin/env bash
# cma 4.5.0 (numpy 2.4.6), 2026-11-27: the seed 0 is no seed.
# Guess: CMAEvolutionStrategy with seed 0 proposes the same points in every run, as with seed 1.
# Behaviour: 0 stands for "take the time", like None: every run differs, and the option then holds the seed that was drawn.
# Seen: seed 1 the same points twice, seed 0 others; es.opts["seed"] 1 and a number that changes.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet cma==4.5.0 numpy==2.4.6
venv/bin/python - <<'PY'
import cma


def points(seed):
    search = cma.CMAEvolutionStrategy([0.0, 0.0], 1.0, {"seed": seed, "verbose": -9, "verb_log": 0})
    return [x.tolist() for x in search.ask(4)], search.opts["seed"]


one, zero = (points(1), points(1)), (points(0), points(0))
print([p[0][0] for p in one + zero], [p[1] for p in one + zero])
assert one[0][0] == one[1][0] and zero[0][0] != zero[1][0]
PY
