#!/usr/bin/env bash
# mlcroissant 1.1.1 with pandas 3.1.1 (numpy 2.4.6), 2026-11-28: a column declared as text is read as numbers first.
# Guess: a field of type Text gives the text of the CSV file, and a field of type Boolean is False for "no" or refuses it.
# Behaviour: the file is read by pandas with guessed types, and only then are the values turned into the declared ones. Text "001" is b"1",
#   "1.10" is b"1.1", "1e5" is b"100000.0", "null" is None; one word further down the column and all stay as they are. Boolean "no" is True.
# Costs: identifiers, synsets, versions and class names of a published data set do not match those of the file, depending on the other rows.
# Seen: 001, 002 as b'1', b'2'; with a third row x1 as b'001', b'002', b'x1'; 1.10, 1e5 as b'1.1', b'100000.0'; no, yes as True, True.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet mlcroissant==1.1.1 pandas==3.1.1 numpy==2.4.6 setuptools==80.9.0
venv/bin/python - <<'PY'
import hashlib
import json
from pathlib import Path

import mlcroissant as mlc


def read(kind, *values):
    text = "\n".join(["v", *values, ""])
    Path("data.csv").write_text(text)
    source = mlc.Source(file_object="data.csv", extract=mlc.Extract(column="v"))
    file = mlc.FileObject(
        id="data.csv",
        name="data.csv",
        content_url="data.csv",
        encoding_formats=["text/csv"],
        sha256=hashlib.sha256(text.encode()).hexdigest(),
    )
    rows = mlc.RecordSet(id="r", name="r", fields=[mlc.Field(id="r/v", name="v", data_types=[kind], source=source)])
    data = mlc.Metadata(name="d", url="https://example.org", license="MIT", distribution=[file], record_sets=[rows])
    Path("croissant.json").write_text(json.dumps(data.to_json(), default=str))
    return [record["r/v"] for record in mlc.Dataset("croissant.json").records("r")]


text = mlc.DataType.TEXT
ids, mixed = read(text, "001", "002"), read(text, "001", "002", "x1")
numbers, names, flags = read(text, "1.10", "1e5"), read(text, "null", "car"), read(mlc.DataType.BOOL, "no", "yes")
print(ids, mixed, numbers, names, flags)
assert ids == [b"1", b"2"] and mixed == [b"001", b"002", b"x1"]
assert numbers == [b"1.1", b"100000.0"] and names == [None, b"car"] and flags == [True, True]
PY
