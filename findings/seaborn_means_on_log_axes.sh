#!/usr/bin/env bash
# seaborn 0.13.2 with matplotlib 3.11.2 (pandas 3.1.1, numpy 2.4.6), 2026-11-28: a logarithmic axis changes the mean.
# Guess: the axis decides how values are drawn, and the mean of 1, 1, 100 is drawn at 34 on any.
# Behaviour: where the axis is logarithmic BEFORE seaborn draws, lineplot, pointplot and barplot average the logarithms: the geometric
#   mean. Where it becomes so afterwards (ax.set_yscale after drawing), the arithmetic one stays. Two lines of a script in another order are
#   other results.
# Seen: 34.0 afterwards, 4.64 before.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet seaborn==0.13.2 matplotlib==3.11.2 pandas==3.1.1 numpy==2.4.6
venv/bin/python - <<'PY'
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns

table = pd.DataFrame({"epoch": [1, 1, 1], "loss": [1.0, 1.0, 100.0]})


def drawn(plot, before):
    ax = plt.figure().gca()
    if before:
        ax.set_yscale("log")
    plot(table, x="epoch", y="loss", errorbar=None, ax=ax)
    ax.set_yscale("log")
    return float(ax.lines[0].get_ydata()[0])


seen = {plot.__name__: (drawn(plot, False), drawn(plot, True)) for plot in (sns.lineplot, sns.pointplot)}
print(seen)
assert all(abs(after - 34) < 1e-6 and abs(before - 100 ** (1 / 3)) < 1e-6 for after, before in seen.values())
PY
