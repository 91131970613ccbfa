#!/usr/bin/env bash
# optax 0.2.8 and keras 3.15.1 with jax 0.10.2 (numpy 2.4.6), 2026-11-28: the label -1 is four classes.
# Expected: a label of -1 ("none") is refused, or treated in one way by the losses, one-hot codes and counts of one stack.
# Behaviour: optax's cross entropy with integer labels learns the LAST class from it, keras' to_categorical marks the last class; jax's one_hot marks
#   none, so that the loss is 0, and so is keras' sparse one; jnp.bincount counts it as class 0. Nothing warns.
# Costs: unlabelled pictures train the last class, or dilute the mean loss, and swell the first class in the table of counts.
# Seen: for scores of 0.2, 0.3, 0.5: optax 0.693 = -log 0.5, from one_hot 0, keras 0; to_categorical [0, 0, 1]; bincount [1, 0, 0].
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet optax==0.2.8 keras==3.15.1 jax==0.10.2 numpy==2.4.6
venv/bin/python - <<'PY'
import os

os.environ["KERAS_BACKEND"] = "jax"
import jax
import jax.numpy as jnp
import keras
import numpy as np
import optax

label, chances = jnp.array([-1]), jnp.array([[0.2, 0.3, 0.5]])
logits = jnp.log(chances)
losses = [
    optax.softmax_cross_entropy_with_integer_labels(logits, label),
    optax.softmax_cross_entropy(logits, jax.nn.one_hot(label, 3)),
    keras.losses.sparse_categorical_crossentropy(label, chances),
]
losses = [round(abs(float(loss[0])), 3) for loss in losses]
codes = [jax.nn.one_hot(label, 3)[0], keras.utils.to_categorical(np.array([-1]), 3)[0], jnp.bincount(label, length=3)]
codes = [np.asarray(code).tolist() for code in codes]
print(losses, codes)
assert losses == [0.693, 0, 0] and codes == [[0, 0, 0], [0, 0, 1], [1, 0, 0]]
PY
