#!/usr/bin/env bash
# pingouin 0.7.0 (pandas 3.1.1, numpy 2.4.6, scipy 1.17.1), 2026-11-28: a confidence interval of zero width at zero beside p = 0.0008.
# Guess: ttest gives its interval with the digits of its p value; accuracies as fractions are as good as in percent.
# Behaviour: CI95 is rounded to two decimals while T, p and the effect size are not. Of differences below half a point, written as
#   fractions, nothing is left; in percent the same interval excludes zero.
# Seen: five paired runs, fractions: CI95 [0, 0], p 0.00082; in percent: [0.05, 0.1], the same p.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet pingouin==0.7.0 pandas==3.1.1 numpy==2.4.6 scipy==1.17.1
venv/bin/python - <<'PY'
import numpy as np
import pingouin as pg

new = np.array([0.7012, 0.7020, 0.7008, 0.7015, 0.7019])
old = np.array([0.7004, 0.7011, 0.7003, 0.7005, 0.7012])


def row(unit):
    return pg.ttest(unit * new, unit * old, paired=True).iloc[0]


fraction, percent = row(1), row(100)
print(fraction["CI95"], percent["CI95"], fraction["p_val"], percent["p_val"])
assert list(fraction["CI95"]) == [0, 0] and min(percent["CI95"]) > 0
assert fraction["p_val"] < 0.001 and np.isclose(fraction["p_val"], percent["p_val"])
PY
