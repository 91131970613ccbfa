#!/usr/bin/env bash
# onnxruntime 1.32.0 with onnx 1.23.2 (numpy 2.4.6), 2026-11-27: fp16 that never overflows.
# Guess: a float16 graph that computes 300 * 300 gives inf on the CPU provider, as float16 must, at least with optimizations off.
# Behaviour: the CPU has no float16 kernel for most operators, so the session computes them in float32 and drops the casts between
#   neighbours: what lies between two nodes is never rounded. 300 * 300 * 0.01 is 900, at every optimization level. A model that is checked on a CPU
#   can still overflow where float16 is real. onnx's own reference evaluator gives inf.
# Seen: reference inf; session 900.0, optimizations disabled and enabled.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet numpy==2.4.6 onnx==1.23.2 onnxruntime==1.32.0
venv/bin/python - <<'PY'
import numpy as np
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

factors = [numpy_helper.from_array(np.array([v], "f2"), name) for name, v in (("a", 300), ("b", 0.01))]
nodes = [helper.make_node("Mul", ["x", "a"], ["m"]), helper.make_node("Mul", ["m", "b"], ["y"])]
value = [helper.make_tensor_value_info(name, TensorProto.FLOAT16, [1]) for name in "xy"]
graph = helper.make_graph(nodes, "g", value[:1], value[1:], factors)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
feed = {"x": np.array([300], "f2")}


def run(level):
    options = ort.SessionOptions()
    options.graph_optimization_level = level
    providers = ["CPUExecutionProvider"]
    return ort.InferenceSession(model.SerializeToString(), options, providers=providers).run(None, feed)[0].item()


levels = ort.GraphOptimizationLevel
seen = [run(levels.ORT_DISABLE_ALL), run(levels.ORT_ENABLE_ALL)]
reference = ReferenceEvaluator(model).run(None, feed)[0].item()
print(reference, seen)
assert np.isinf(reference) and seen == [900.0, 900.0]
PY
