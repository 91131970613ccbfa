#!/usr/bin/env bash
# PyYAML 6.0.3, 2026-11-27: a text that PyYAML wrote itself comes back changed.
# Guess: safe_load(safe_dump(text)) is the text, whatever characters it holds; the dump quotes what it must.
# Behaviour: with allow_unicode=True the character U+0085 (next line, common in texts from mainframes and old encodings) is
#   written as it is and read as a line break that folds into a space. Without the option it survives.
# Seen: with the option 'a b', without it 'a\x85b'.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet PyYAML==6.0.3
venv/bin/python - <<'PY'
import yaml

text = "a\x85b"
raw, escaped = (yaml.safe_load(yaml.safe_dump(text, allow_unicode=u)) for u in (True, False))
print(repr(raw), repr(escaped))
assert raw == "a b" and escaped == text
PY
