#!/usr/bin/env bash
# pandas 3.1.1 (numpy 2.4.6), 2026-11-27: a small learning rate becomes zero in JSON.
# Guess: to_json writes floats as json.dumps does, so that read_json gives the same numbers back.
# Behaviour: it keeps ten digits after the point, counted from the point: 1e-11 is written as 0.0, 1.23456789e-05 as
#   0.0000123457. to_csv of the same frame loses nothing.
# Seen: {"lr":{"0":0.0,"1":0.0000123457}}
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

frame = pd.DataFrame({"lr": [1e-11, 1.23456789e-05]})
text = frame.to_json()
print(text)
assert text == '{"lr":{"0":0.0,"1":0.0000123457}}'
assert pd.read_csv(io.StringIO(frame.to_csv(index=False))).lr.tolist() == frame.lr.tolist()
PY
