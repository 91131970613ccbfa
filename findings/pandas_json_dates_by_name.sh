#!/usr/bin/env bash
# pandas 3.1.1 (numpy 2.4.6), 2026-11-27: the name of a column turns bytes into a date.
# Guess: read_json gives integers back as integers, whatever the column is called.
# Behaviour: names that end in _at or _time, or start with timestamp, are read as dates once the numbers are large enough:
#   "peak_at" in bytes becomes a day of 1998. "wall_time" of a short run stays a number; of a run counted in
#   microseconds it does not, so the type depends on the values.
# Seen: peak_at datetime64, peak int64, wall_time float64; in microseconds wall_time datetime64.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet numpy==2.4.6 pandas==3.1.1
venv/bin/python - <<'PY'
import io

import pandas as pd


def kinds(text):
    return pd.read_json(io.StringIO(text)).dtypes.astype(str).to_dict()


short = kinds("""{"peak_at": [900000000, 800000000], "peak": [900000000, 800000000], "wall_time": [97.5, 98.0]}""")
long = kinds("""{"wall_time": [97500000, 98000000]}""")
print(short, long)
assert short["peak_at"].startswith("datetime64")
assert (short["peak"], short["wall_time"]) == ("int64", "float64")
assert long["wall_time"].startswith("datetime64")
PY
