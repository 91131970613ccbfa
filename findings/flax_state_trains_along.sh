#!/usr/bin/env bash
# flax 0.12.8 with optax 0.2.8 and jax 0.10.2 (numpy 2.4.6), 2026-11-28: weights that were kept before a task are those after it.
# Guess: nnx.state(model) and nnx.split(model) are values, as everything in JAX is; nnx.update(model, kept) brings the old weights back.
# Behaviour: both hold the very variables of the model, which the optimiser changes in place. What was kept has moved along, nnx.update puts the
#  new weights over the new weights, and a distance to the old weights is zero. A model made of both halves by nnx.merge is no copy
#  either, unless it is asked for one: teacher and student are one. copy.copy of a state does not help; nnx.clone, nnx.to_pure_dict of a
#  state and copy.deepcopy do.
# Costs: a penalty on the way from the last task's weights (L2-SP, EWC, WiSE-FT's two ends) is silently none, a frozen teacher
#  learns, and the "best" weights kept by early stopping are the last ones.
# Seen: after a step of training, kept by state, split and copy.copy: not restored, distance 0.0; by clone, pure dict and deepcopy: restored.
#  The merged teacher has the student's new weights.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet flax==0.12.8 optax==0.2.8 jax==0.10.2 numpy==2.4.6
venv/bin/python - <<'PY'
import copy

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx


def restored(keep):
    model = nnx.Linear(2, 2, rngs=nnx.Rngs(0))
    before, kept = np.array(model.kernel[...]), keep(model)
    optimizer = nnx.Optimizer(model, optax.sgd(0.1), wrt=nnx.Param)
    optimizer.update(model, nnx.grad(lambda model: (model(jnp.ones((1, 2))) ** 2).sum())(model))
    assert not np.array_equal(before, model.kernel[...])
    moved = sum(jnp.abs(new - old).sum() for new, old in zip(jax.tree.leaves(nnx.state(model)), jax.tree.leaves(kept)))
    nnx.update(model, kept)
    return np.array_equal(before, model.kernel[...]), round(float(moved), 3)


live = [restored(keep) for keep in (nnx.state, lambda model: nnx.split(model)[1], lambda model: copy.copy(nnx.state(model)))]
copies = [restored(keep) for keep in (lambda model: nnx.state(nnx.clone(model)), lambda model: nnx.to_pure_dict(nnx.state(model)),
                                      lambda model: copy.deepcopy(nnx.state(model)))]
student = nnx.Linear(2, 2, rngs=nnx.Rngs(0))
teacher = nnx.merge(*nnx.split(student))
before = np.array(teacher.kernel[...])
student.kernel[...] += 1
print(live, copies, np.array_equal(teacher.kernel[...], before + 1))
assert np.array_equal(teacher.kernel[...], before + 1)
assert live == [(False, 0.0)] * 3
assert all(back and moved > 0 for back, moved in copies)
PY
