#!/usr/bin/env bash
# scipy 1.17.1, krippendorff 0.9.0 and scikit-learn 1.9.1 (numpy 2.4.6), 2026-11-28: ratings from 1 to 5 get another test and another agreement as bytes.
# Guess: ratings stored as uint8 give the p-value, the alpha and the error of the same ratings as floats; each of the three libraries has a
#  function next door for which they do.
# Behaviour: scipy.stats.ttest_rel, krippendorff.alpha (interval, its default, and ratio) and sklearn's max_error subtract first, and 3 - 4 is 255
#  in uint8. scipy's ttest_ind and wilcoxon, alpha at the ordinal level and mean_absolute_error are right; nothing warns.
# Costs: a user study or a paired test on small counts, saved in the smallest integers that hold them, finds a difference (of the other sign)
#  where there is none, and reports raters who agree as ones who do not.
# Seen: 30 pairs of ratings: t = -1.49, p = 0.147 as floats, t = 4.11, p = 0.0003 as bytes; alpha 0.757 and 0.243; largest error 2 and 255.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet scipy==1.17.1 krippendorff==0.9.0 scikit-learn==1.9.1 numpy==2.4.6
venv/bin/python -W error - <<'PY'
import krippendorff
import numpy as np
from scipy import stats
from sklearn import metrics

rng = np.random.default_rng(0)
ours = rng.integers(1, 6, 30)
theirs = np.clip(ours + rng.integers(-1, 3, 30), 1, 5)


def both(function):
    return [round(float(function(ours.astype(kind), theirs.astype(kind))), 4) for kind in ("float64", "uint8")]


def agreement(level):
    return lambda a, b: krippendorff.alpha(np.stack([a, b]), level_of_measurement=level)


wrong = {
    "t": both(lambda a, b: stats.ttest_rel(a, b).statistic),
    "p": both(lambda a, b: stats.ttest_rel(a, b).pvalue),
    "alpha": both(agreement("interval")),
    "largest error": both(metrics.max_error),
}
right = {
    "p unpaired": both(lambda a, b: stats.ttest_ind(a, b).pvalue),
    "p wilcoxon": both(lambda a, b: stats.wilcoxon(a, b).pvalue),
    "alpha ordinal": both(agreement("ordinal")),
    "mean error": both(metrics.mean_absolute_error),
}
print(wrong, right)
assert all(floats == small for floats, small in right.values())
assert wrong["t"] == [-1.49, 4.1137] and wrong["p"] == [0.147, 0.0003]
assert wrong["alpha"] == [0.7569, 0.2432] and wrong["largest error"] == [2, 255]
PY
