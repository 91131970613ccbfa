#!/usr/bin/env bash
# onnxruntime 1.32.0 with onnx 1.23.2 (numpy 2.4.6), 2026-11-28: seeds that make the same noise, and no seed that does, too.
# Guess: RandomNormal with the seeds 0, 1 and 0.1 (the attribute is a float) gives three noises; two sessions of a model without a seed differ.
# Behaviour: the seed is cut to an integer, and 0 and 1 start the generator alike: 0, 0.1, 1 and 1.5 are one stream. A node without a seed
#   takes the process's number and its own place in the graph: every session that is opened draws the noise of the first.
# Costs: "seeds 0 and 1" of an exported sampler are one run counted twice; workers that open a session each generate the same pictures.
# Seen: 0, 0.1, 1 and 1.5 equal, 2 different; two sessions without a seed equal.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6
venv/bin/python - <<'PY'
import numpy as np
import onnxruntime
from onnx import TensorProto, helper


def noise(**seed):
    node = helper.make_node("RandomNormal", [], ["y"], shape=[8], dtype=TensorProto.FLOAT, **seed)
    graph = helper.make_graph([node], "g", [], [helper.make_tensor_value_info("y", TensorProto.FLOAT, [8])])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {})[0]


zero = noise(seed=0.0)
equal = {seed: bool(np.array_equal(zero, noise(seed=seed))) for seed in (0.1, 1.0, 1.5, 2.0)}
unseeded = np.array_equal(noise(), noise())
print(equal, unseeded)
assert equal == {0.1: True, 1.0: True, 1.5: True, 2.0: False} and unseeded
PY
