#!/usr/bin/env bash
# Pillow 13.0.0 (numpy 2.4.6), 2026-11-27: a turned TIFF opened by its path is scrambled, opened as a file it is right.
# Guess: Image.open gives the same picture for a path and for an open file, turned as the orientation says or not at all.
# Behaviour: an uncompressed grey TIFF with orientation 6 (a quarter turn) is mapped into memory when it comes by path, with
#   rows of the turned width over bytes of the unturned one: no turn of the picture gives what comes out. An open file is
#   decoded and turned as it should be.
# Seen: by path [[9, 6, 3, 0], [10, 7, 4, 1], [11, 8, 5, 2]], as a file [[8, 4, 0], [9, 5, 1], [10, 6, 2], [11, 7, 3]].
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet pillow==13.0.0 numpy==2.4.6
venv/bin/python - <<'PY'
import numpy as np
from PIL import Image

pixels = np.arange(12, dtype=np.uint8).reshape(3, 4)
exif = Image.Exif()
exif[0x112] = 6
Image.fromarray(pixels).save("turned.tif", exif=exif)
with Image.open("turned.tif") as image:
    by_path = np.asarray(image).tolist()
with open("turned.tif", "rb") as file, Image.open(file) as image:
    image.load()
    as_file = np.asarray(image).tolist()
print("by path", by_path)
print("as a file", as_file)
assert as_file == np.rot90(pixels, -1).tolist()
assert by_path == [[9, 6, 3, 0], [10, 7, 4, 1], [11, 8, 5, 2]]
PY
