#!/usr/bin/env bash
# rocrate 0.16.0, 2026-11-27: of two files with one name a crate keeps the last.
# Guess: crate.add_file("a/metrics.csv") and crate.add_file("b/metrics.csv") give a crate with both files, or an error.
# Behaviour: a file's place in the crate is its bare name, so the second takes the place of the first: one entity, one file, no warning, though
#  the call for the first one has returned an entity. Only with dest_path both stay.
# Seen: ['metrics.csv'], which holds b's 2; with dest_path ['a/metrics.csv', 'b/metrics.csv'].
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet rocrate==0.16.0
venv/bin/python - <<'PY'
from pathlib import Path

from rocrate.rocrate import ROCrate


def written(out, **places):
    crate = ROCrate()
    for name in "ab":
        crate.add_file(f"{name}/metrics.csv", **({"dest_path": f"{name}/metrics.csv"} if places else {}))
    crate.write(out)
    return sorted(entity.id for entity in crate.data_entities)


for number, name in enumerate("ab", 1):
    Path(name).mkdir()
    Path(name, "metrics.csv").write_text(str(number))
plain, placed = written("plain"), written("placed", places=True)
print(plain, Path("plain/metrics.csv").read_text(), placed)
assert plain == ["metrics.csv"] and Path("plain/metrics.csv").read_text() == "2"
assert placed == ["a/metrics.csv", "b/metrics.csv"]
PY
