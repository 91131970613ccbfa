#!/usr/bin/env bash
# pillow 13.0.0, 2026-11-28: an animation has fewer frames than were saved, by the format.
# Guess: six pictures saved with save_all have six frames, whatever they show.
# Behaviour: GIF, PNG and WebP keep one frame for a run of equal ones (with the durations added up); TIFF keeps all. Nothing warns. Frame number n is
#   then no longer step n.
# Costs: frames read back as steps of a diffusion process, of a training or of a video data set are shifted from the first pause on, by the format.
# Seen: six pictures, 1 1 1 2 2 1: GIF, PNG and WebP 3 frames, TIFF 6; GIF durations 300, 200, 100.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet pillow==13.0.0
venv/bin/python - <<'PY'
import io

from PIL import Image, ImageSequence

first, *others = [Image.new("RGB", (4, 4), (grey, grey, grey)) for grey in (0, 0, 0, 200, 200, 0)]


def saved(kind, **more):
    first.save(buffer := io.BytesIO(), kind, save_all=True, append_images=others, **more)
    return Image.open(buffer)


frames = {kind: saved(kind, duration=100).n_frames for kind in ("GIF", "PNG", "WEBP")}
frames["TIFF"] = saved("TIFF").n_frames
durations = [frame.info["duration"] for frame in ImageSequence.Iterator(saved("GIF", duration=100))]
print(frames, durations)
assert frames == {"GIF": 3, "PNG": 3, "WEBP": 3, "TIFF": 6} and durations == [300, 200, 100]
PY
