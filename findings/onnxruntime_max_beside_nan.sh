#!/usr/bin/env bash
# onnxruntime 1.32.0 with onnx 1.23.2 (numpy 2.4.6), 2026-11-28: beside a NaN the largest number is lost, and so is the NaN.
# Guess: ReduceMax and MaxPool of numbers with a NaN are NaN, as in numpy and torch; Unique keeps every number.
# Behaviour: on x86-64 the NaN is dropped and, at some places of a long array (where vectors are compared), the largest number with it. MaxPool of nothing
#   but NaN is the lowest finite float. Unique of NaN, NaN, 1 does not hold the 1. Max and Clip of the same library do keep NaN.
# Costs: an exported network that has broken down goes on with confident finite features; a check for NaN at its output finds none.
# Seen: ReduceMax of 0 to 39 with NaN in place of 1: 38.0; MaxPool of 1, NaN, 2: 2.0, of three NaN: -3.4e38; Unique: [nan]; Max of 1 and NaN: NaN.
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

nan = np.nan


def run(kind, *arrays, **attributes):
    arrays = [np.array(a, dtype=np.float32) for a in arrays]
    names = [f"x{i}" for i in range(len(arrays))]
    inputs = [helper.make_tensor_value_info(n, TensorProto.FLOAT, a.shape) for n, a in zip(names, arrays)]
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph([helper.make_node(kind, names, ["y"], **attributes)], "g", inputs, [output])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, dict(zip(names, arrays)))[0].ravel().tolist()


numbers = np.arange(40.0)
numbers[1] = nan
(largest,) = run("ReduceMax", numbers)
(pooled,) = run("MaxPool", [[[1, nan, 2]]], kernel_shape=[3])
(empty,) = run("MaxPool", [[[nan, nan, nan]]], kernel_shape=[3])
unique, (kept,) = run("Unique", [nan, nan, 1], sorted=1), run("Max", [1], [nan])
print(largest, pooled, empty, unique, kept)
assert np.isfinite(largest) and pooled == 2 and empty == np.finfo(np.float32).min
assert 1 not in unique and np.isnan(kept)
PY
