#!/usr/bin/env bash
# pyvips 3.2.0 with pyvips-binary 8.18.7 (pillow 13.0.0, numpy 2.4.6), 2026-11-28: a file that was written anew still shows its first picture.
# Guess: Image.new_from_file reads the file that is there now.
# Behaviour: a process that has read a path once gets that first picture again, whatever has been put there since: it is taken from a
#   cache which looks at the path only, not at time or size of the file. revalidate=True reads anew. Files that pyvips wrote itself are no exception.
# Costs: a loop that saves each generated picture under one name and measures or shrinks it with pyvips gives every picture the numbers of the first.
# Seen: grey 10, 200, 90 written in turn: means 10, 10, 10; with revalidate=True 10, 200, 90; a larger picture also has the first one's size.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet pyvips==3.2.0 pyvips-binary==8.18.7 pillow==13.0.0 numpy==2.4.6
venv/bin/python - <<'PY'
import pyvips
from PIL import Image


def means(path, **more):
    seen = []
    for grey, side in ((10, 64), (200, 64), (90, 128)):
        Image.new("RGB", (side, side), (grey, grey, grey)).save(path)
        picture = pyvips.Image.new_from_file(path, **more)
        seen.append((picture.avg(), picture.width))
    return seen


png, jpeg, anew = means("a.png"), means("a.jpg"), means("b.png", revalidate=True)
own = []
for grey in (10, 200, 90):
    (pyvips.Image.black(64, 64) + grey).cast("uchar").write_to_file("c.png")
    own.append(pyvips.Image.new_from_file("c.png").avg())
print(png, jpeg, anew, own)
assert png == jpeg == [(10, 64)] * 3 and anew == [(10, 64), (200, 64), (90, 128)] and own == [10, 10, 10]
PY
