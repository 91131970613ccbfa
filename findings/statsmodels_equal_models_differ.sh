#!/usr/bin/env bash
# statsmodels 0.15.0 (scipy 1.17.1, pandas 3.1.1, numpy 2.4.6), 2026-11-28: two models with the same answers differ, p = 0.
# Expected: McNemar's test of two classifiers that agree on every picture has the p value 1, or none.
# Behaviour: without exact=True and with the correction for continuity, which is on by default, it is (0 - 1) squared, divided by 0 pictures on which they
#   differ: the statistic is inf and p 0.0. A warning of a division is all. One such picture gives 1.0, and so does exact=True for none.
# Costs: a table of pairwise tests marks a model and its copy, or two untrained heads, as the clearest difference of all.
# Seen: no picture answered differently: inf, 0.0 and, exact, 1.0; one picture: 0.0, 1.0.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet statsmodels==0.15.0 scipy==1.17.1 pandas==3.1.1 numpy==2.4.6
venv/bin/python - <<'PY'
import warnings

import numpy as np
from statsmodels.stats.contingency_tables import mcnemar

warnings.simplefilter("ignore")
equal, one = np.array([[70, 0], [0, 30]]), np.array([[70, 1], [0, 29]])
seen = [(float(test.statistic), float(test.pvalue)) for test in (mcnemar(table, exact=False) for table in (equal, one))]
exact = mcnemar(equal, exact=True).pvalue
print(seen, exact)
assert seen == [(np.inf, 0.0), (0.0, 1.0)] and exact == 1
PY
