#!/usr/bin/env bash
# albumentations 2.0.8 (opencv-python-headless 5.0.0.93, scipy 1.17.1, numpy 2.4.6), 2026-11-28: boxes that were only mirrored carry the numbers of others.
# Guess: what is listed in label_fields stays beside its box as it is: int64 numbers of annotations go in, the same int64 numbers come out.
# Behaviour: labels that are numbers ride in the same float32 array as the corners of the boxes and are then turned back to the type that they had.
#   Integers above 16777216 (2 to the 24th) are rounded on the way: to even numbers first, later to multiples of 4, 8 and so on. keypoints do
#   the same. The same numbers as text, or a label 0 to 7 as an index, come back right.
# Costs: with numbers of annotations, objects or tracks as labels (COCO's own for crowds have 12 digits) a mirrored box is looked up under a number that
#   belongs to another annotation, or four boxes share one; type and length are as before, and nothing warns.
# Seen: 20000001 to 20000008 come back as 20000000, 20000002, 20000004, 20000004, 20000004, 20000006, 20000008, 20000008.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet albumentations==2.0.8 albucore==0.0.24 opencv-python-headless==5.0.0.93 scipy==1.17.1 numpy==2.4.6
NO_ALBUMENTATIONS_UPDATE=1 venv/bin/python - <<'PY'
import albumentations
import numpy as np

picture = np.zeros((100, 100, 3), np.uint8)
boxes = [[10 * i, 10, 10 * i + 8, 20] for i in range(8)]


def mirrored(labels):
    box, point = albumentations.BboxParams("pascal_voc", label_fields=["of_boxes"]), albumentations.KeypointParams("xy", label_fields=["of_points"])
    both = albumentations.Compose([albumentations.HorizontalFlip(p=1)], bbox_params=box, keypoint_params=point)
    out = both(image=picture, bboxes=boxes, of_boxes=labels, keypoints=[b[:2] for b in boxes], of_points=labels)
    assert [round(float(b[0])) for b in out["bboxes"]] == [92 - 10 * i for i in range(8)]
    assert list(out["of_boxes"]) == list(out["of_points"])
    return list(out["of_boxes"])


ids = 20000001 + np.arange(8)
crowds = 900100000000 + np.arange(8)
seen, text, index = mirrored(ids), mirrored([str(i) for i in ids]), mirrored(np.arange(8))
print([int(i) for i in seen], {int(i) for i in mirrored(crowds)})
assert text == [str(i) for i in ids] and index == list(range(8))
assert all(isinstance(i, (int, np.integer)) for i in seen)
assert seen == [20000000 + k for k in (0, 2, 4, 4, 4, 6, 8, 8)] and len(set(mirrored(crowds))) == 1
PY
