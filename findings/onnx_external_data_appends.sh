#!/usr/bin/env bash
# onnx 1.23.2 (numpy 2.4.6), 2026-11-27: saving takes the weights out of the model in memory, and the weight file grows at every save.
# Guess: onnx.save(..., save_as_external_data=True) leaves the model alone, and a second save replaces both files.
# Behaviour: the tensors of the model in memory lose their bytes to the file, so that a later plain save writes a graph of a few
#   hundred bytes that points to it. A second save to the same folder appends to the weight file. From inside that
#   folder the same save raises FileExistsError: whether the file is there is looked up from the working directory.
# Seen: w.data 1048576, 2097152, 3145728 bytes after three saves; 0 bytes left in memory; plain.onnx below 1 kB.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet numpy==2.4.6 onnx==1.23.2
venv/bin/python - <<'PY'
import os

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

weight = numpy_helper.from_array(np.ones((512, 512), "f4"), "w")
value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 512]) for name in "xy"]
graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "g", value[:1], value[1:], [weight])
text = helper.make_model(graph).SerializeToString()
sizes = []
os.mkdir("out")
for _ in range(3):
    model = onnx.load_from_string(text)
    onnx.save(model, "out/m.onnx", save_as_external_data=True, location="w.data")
    sizes.append(os.path.getsize("out/w.data"))
left = len(model.graph.initializer[0].raw_data)
onnx.save(model, "out/plain.onnx")
print(sizes, left, os.path.getsize("out/plain.onnx"))
assert sizes == [2**20, 2 * 2**20, 3 * 2**20]
assert left == 0 and os.path.getsize("out/plain.onnx") < 1000
PY
