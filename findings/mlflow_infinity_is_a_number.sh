#!/usr/bin/env bash
# mlflow 3.17.2, 2026-11-28: a loss that became infinite is finite in the record.
# Guess: log_metric keeps inf, as it keeps nan, whatever the tracking store.
# Behaviour: the database store writes 1.797...e308, the largest finite number, in its place, and -1.797...e308 for -inf; nan stays nan. Averages over
#   runs are then finite or inf by the number of such runs, and isinf finds nothing. Nothing warns.
# Costs: diverged runs pass a filter for non-finite losses; a plot's axis, or a mean, is dominated by a number that nobody logged.
# Seen: inf 1.7976931348623157e+308, -inf -1.7976931348623157e+308, nan nan.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet mlflow==3.17.2
venv/bin/python - <<'PY'
import logging
import math
import os
import sys

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
import mlflow

logging.disable(logging.WARNING)
mlflow.set_tracking_uri("sqlite:///runs.db")
with mlflow.start_run() as run:
    mlflow.log_metrics({"up": math.inf, "down": -math.inf, "none": math.nan})
seen = mlflow.get_run(run.info.run_id).data.metrics
print(seen)
assert seen["up"] == sys.float_info.max and seen["down"] == -sys.float_info.max and math.isnan(seen["none"])
PY
