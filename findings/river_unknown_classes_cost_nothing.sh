#!/usr/bin/env bash
# river 0.26.1 (scipy 1.17.1, pandas 3.1.1, numpy 2.4.6), 2026-11-28: a class that the model has never seen has no loss.
# Guess: CrossEntropy of a label that the prediction gives no probability is the largest one, as with a probability of 0 (34.5, for river clips at
#   1e-15) and as in river's own LogLoss.
# Behaviour: the metric adds up over the classes that the prediction names. river's classifiers name those they have learnt so far, so a label that
#   is not among them adds 0, the loss of a perfect prediction, and it counts in the mean. An empty prediction is perfect for every label.
# Costs: with classes that arrive task by task the model that knows the fewest looks best: the loss on the whole test set rises with what is learnt, as
#   if by forgetting, and a choice by it keeps the first task's model. Nothing warns.
# Seen: after 2, 4 and 7 of 7 classes the accuracy is 0.283, 0.536, 0.894 and the loss 0.012, 0.030, 0.428; with the missing classes at 0 it is 24.8, 15.9, 0.428.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet river==0.26.1 scipy==1.17.1 pandas==3.1.1 numpy==2.4.6
venv/bin/python - <<'PY'
from river import datasets, linear_model, metrics, preprocessing

data = list(datasets.ImageSegments())
training, test = data[::2], data[1::2]
classes = list(dict.fromkeys(label for _, label in data))
model = preprocessing.StandardScaler() | linear_model.SoftmaxRegression()
for features, _ in training:  # the features' scale is known, only the classes arrive one after the other
    model["StandardScaler"].learn_one(features)


def scores():
    accuracy, loss, filled = metrics.Accuracy(), metrics.CrossEntropy(), metrics.CrossEntropy()
    for features, label in test:
        named = model["SoftmaxRegression"].predict_proba_one(model["StandardScaler"].transform_one(features))
        accuracy.update(label, max(named, key=named.get))
        loss.update(label, named)
        filled.update(label, {**dict.fromkeys(classes, 0.0), **named})
    return [round(metric.get(), 3) for metric in (accuracy, loss, filled)]


seen = []
for task in (classes[:2], classes[2:4], classes[4:]):
    for _ in range(3):
        for features, label in training:
            if label in classes[: classes.index(task[-1]) + 1]:  # all data so far: nothing is forgotten
                model["SoftmaxRegression"].learn_one(model["StandardScaler"].transform_one(features), label)
    seen.append(scores())
unknown, binary = metrics.CrossEntropy(), metrics.LogLoss()
unknown.update("new", {"old": 1.0})
binary.update(True, {False: 1.0})
print(classes, seen, unknown.get(), round(binary.get(), 1))
(a, b, c), (d, e, f), (g, h, i) = seen
assert a < d < g and c > f > i  # better and better
assert b < e < h and h == i  # and worse and worse
assert unknown.get() == 0 and binary.get() > 34
PY
