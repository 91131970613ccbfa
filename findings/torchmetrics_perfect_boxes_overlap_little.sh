#!/usr/bin/env bash
# torchmetrics 1.9.0 with torch 2.14.0, torchvision 0.29.2 (numpy 2.4.6), 2026-11-28: the more objects a picture has, the less a perfect detector overlaps.
# Guess: IntersectionOverUnion (and the generalised one, GIoU) of boxes that are the true boxes is 1: each box is compared with its own.
# Behaviour: boxes are not matched. The metric is the mean over all pairs of a predicted and a true box of the same class in a picture, so every
#   box is also compared with its neighbours: four perfect boxes apart from each other have 4 pairs of 1 and 12 of 0. GIoU is negative for pairs
#   apart, so that a perfect detector gets less than 0, and the 0 of one that finds nothing is better. With iou_threshold=0.5 the low pairs
#   are dropped: perfect is 1, but so is one box found of four.
# Costs: a detector's score depends on how crowded the pictures are; one that finds one car of four ties with a perfect one, and in GIoU one that finds nothing beats it.
# Seen: four cars, all found exactly: IoU 0.25, GIoU -0.114; one found: 0.25, -0.162; none found: 0 and 0; one car, found: 1 and 1.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet torchmetrics==1.9.0 torch==2.14.0 torchvision==0.29.2 numpy==2.4.6
venv/bin/python - <<'PY'
import torch
from torchmetrics.detection import GeneralizedIntersectionOverUnion, IntersectionOverUnion
from torchvision.ops import box_iou, generalized_box_iou

cars = torch.tensor([[0.0, 0, 10, 10], [20, 0, 30, 10], [40, 0, 50, 10], [60, 0, 70, 10]])


def score(found, true):
    def boxes(some):
        return {"boxes": some, "labels": torch.zeros(len(some), dtype=torch.long), "scores": torch.ones(len(some))}

    out = []
    for metric in (IntersectionOverUnion(), GeneralizedIntersectionOverUnion(), IntersectionOverUnion(iou_threshold=0.5)):
        metric.update([boxes(found)], [boxes(true)])
        out += [round(value.item(), 3) for value in metric.compute().values()]
    return out


perfect, one_of_four, nothing, single = (score(cars[:k], cars[:n]) for k, n in ((4, 4), (1, 4), (0, 4), (1, 1)))
own = [pairs(cars, cars).diag().mean().item() for pairs in (box_iou, generalized_box_iou)]
print(perfect, one_of_four, nothing, single, own)
assert own == [1, 1] and single == [1, 1, 1]  # box by box, and with one object
assert perfect[0] == one_of_four[0] == 0.25
assert perfect[1] < nothing[1] == 0
assert perfect[2] == one_of_four[2] == 1
PY
