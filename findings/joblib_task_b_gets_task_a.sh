#!/usr/bin/env bash
# joblib 1.6.0 (numpy 2.4.6), 2026-11-28: the cached features of model B are those of model A.
# Guess: a function made inside another one, and cached there, gives the result of its own model; functools.lru_cache in the same place does so.
# Behaviour: Memory's key is the name, the source and the arguments. What a function has from the function around it (here the model and the task) is in
#  none of them, so that the first one made answers for all, in this run and, from the disk, in every later one. Where two sources share a
#  name joblib warns of a collision; here the source is the same, and nothing warns.
# Costs: "def features_of(model): @memory.cache def features(pictures)" is how one avoids hashing a model: every task, seed or checkpoint after the first is
#  evaluated with the features of the first, and a method that forgets nothing is found.
# Seen: mean feature of models 1 and 2: 1 and 1, with lru_cache 1 and 2; in a new process that makes only model 2: 1.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet joblib==1.6.0 numpy==2.4.6
cat >features.py <<'PY'
import functools
import sys

import joblib
import numpy as np

memory = joblib.Memory("cache", verbose=0)


def features_of(weight, cache):
    @cache
    def features(picture):
        return float(np.mean(np.ones(8) * weight))

    return features


weights = [float(text) for text in sys.argv[2:]]
cache = memory.cache if sys.argv[1] == "joblib" else functools.lru_cache
print([features_of(weight, cache)(0) for weight in weights])
PY
run() { venv/bin/python -W error features.py "$@"; }
plain=$(run functools 1 2)
first=$(run joblib 1 2)
later=$(run joblib 2)
echo "functools $plain joblib $first later $later"
test "$plain" = "[1.0, 2.0]"
test "$first" = "[1.0, 1.0]"
test "$later" = "[1.0]"
