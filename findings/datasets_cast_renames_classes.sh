#!/usr/bin/env bash
# datasets 5.2.0 (pyarrow 26.0.1, numpy 2.4.6), 2026-11-28: cast to the same classes in another order, cats become dogs.
# Guess: cast_column from ClassLabel(cat, dog) to ClassLabel(dog, cat) keeps the names and renumbers, as a cast from text does.
# Behaviour: it keeps the numbers and exchanges the list of names. A cast of the classes to text gives "0" and "1". Nothing warns;
#   concatenate_datasets refuses the two orders, so that this cast is what one tries next. align_labels_with_mapping renumbers.
# Costs: two data sets whose classes stand in different orders are put together with wrong labels.
# Seen: cat, dog after the cast dog, cat; after a cast from text cat, dog; as text 0, 1.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet datasets==5.2.0 pyarrow==26.0.1 numpy==2.4.6
venv/bin/python - <<'PY'
import datasets

datasets.disable_progress_bars()
ours, theirs = datasets.ClassLabel(names=["cat", "dog"]), datasets.ClassLabel(names=["dog", "cat"])
table = datasets.Dataset.from_dict({"label": ["cat", "dog"]})
classes = table.cast_column("label", ours)


def names(data):
    return [data.features["label"].int2str(number) for number in data["label"]]


before, after = names(classes), names(classes.cast_column("label", theirs))
from_text = names(table.cast_column("label", theirs))
text = list(classes.cast_column("label", datasets.Value("string"))["label"])
print(before, after, from_text, text)
assert before == from_text == ["cat", "dog"] and after == ["dog", "cat"] and text == ["0", "1"]
PY
