#!/usr/bin/env bash
# pandas 3.1.1 with tabulate 0.10.0, 2026-11-27: a Markdown table rewrites texts.
# Guess: to_markdown prints a column of texts as it stands.
# Behaviour: tabulate takes a column of texts that all look like numbers for numbers, so that version 1.10 is printed as 1.1, and
#   a short commit 12e3 as 12000. One text that is no number, in the same column, and all stay as they are.
#   disable_numparse=True, handed on by to_markdown, prevents it.
# Seen: | 1.1 | 12000 | for the texts 1.10 and 12e3.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet numpy==2.4.6 pandas==3.1.1 tabulate==0.10.0
venv/bin/python - <<'PY'
import pandas as pd

frame = pd.DataFrame({"version": ["1.10", "1.9"], "commit": ["12e3", "5400"]})
table = frame.to_markdown(index=False)
print(table)
cells = [cell.strip() for cell in table.splitlines()[2].strip("|").split("|")]
assert cells == ["1.1", "12000"], cells
assert "1.10" in frame.to_markdown(index=False, disable_numparse=True)
frame.loc[1, "version"] = "1.9rc1"
assert "1.10" in frame.to_markdown(index=False)
PY
