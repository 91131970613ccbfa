#!/usr/bin/env bash
# baycomp 1.0.3 (scipy 1.17.1, numpy 2.4.6), 2026-11-28: of two equal methods the first is probably better, and one data set decides.
# Expected: two_on_multiple of a method with itself gives 0.5 and 0.5; one data set on which the second leads by 0.01 leaves doubt.
# Behaviour: every draw of equal scores is a tie, 0.5 each up to rounding. Rounding decides it, and what is exactly equal goes to the left: 0.68
#   for the first method, whichever that is. With one data set every draw is above 0.5 for who leads there, however small the lead: 1.
# Costs: "the probability that A is better" depends on which method is named first, and is certain where nothing is known.
# Seen: ten equal scores 0.68, 0, 0.32; one data set with 0.70 and 0.71: 0, 0, 1; two_on_single of ten equal scores 0.5, 0.5.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet baycomp==1.0.3 scipy==1.17.1 numpy==2.4.6 matplotlib==3.11.2
venv/bin/python - <<'PY'
import baycomp
import numpy as np

scores = np.linspace(0.6, 0.8, 10)
equal = baycomp.two_on_multiple(scores, scores, random_state=0)
one = baycomp.two_on_multiple(np.array([0.70]), np.array([0.71]), random_state=0)
single = baycomp.two_on_single(scores, scores)
print(*([round(float(p), 2) for p in seen] for seen in (equal, one, single)))
assert equal[0] > 0.55 and equal[1] == 0 and tuple(one) == (0, 0, 1) and tuple(single) == (0.5, 0.5)
PY
