#!/usr/bin/env bash
# scipy 1.17.1 (numpy 2.4.6), 2026-11-28: three methods in the same order are a certainty.
# Expected: the p value of a rank correlation of three pairs cannot be below 1/3: two of the six orders are as extreme.
# Behaviour: spearmanr always uses the t distribution, and at a correlation of 1 its p value is 0.0, for three pairs as for a hundred. kendalltau, on the same
#   data, counts the orders.
# Costs: "the ranking of the methods carries over (rho = 1, p < 0.001)" is reported from three methods or three tasks.
# Seen: three pairs in one order: spearmanr p = 0.0, kendalltau p = 0.333; permutations of spearmanr's statistic 0.333.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet scipy==1.17.1 numpy==2.4.6
venv/bin/python - <<'PY'
import numpy as np
from scipy import stats

first, second = [70.1, 72.5, 75.0], [61.0, 66.2, 66.9]
rank, pairs = stats.spearmanr(first, second), stats.kendalltau(first, second)
counted = stats.permutation_test((first,), lambda x: stats.spearmanr(x, second).statistic, permutation_type="pairings")
print(rank.statistic, rank.pvalue, pairs.pvalue, counted.pvalue)
assert rank.statistic == 1 and rank.pvalue == 0
assert np.isclose(pairs.pvalue, 1 / 3) and np.isclose(counted.pvalue, 1 / 3)
PY
