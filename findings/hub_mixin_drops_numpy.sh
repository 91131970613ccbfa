#!/usr/bin/env bash
# huggingface_hub 2.4.0 with numpy 2.4.6, 2026-11-27: a saved model that comes back with another temperature.
# Guess: ModelHubMixin writes what a model was built with to config.json, or raises where JSON cannot hold it.
# Behaviour: an argument that json cannot write is dropped without a word, and config.json says the default in its place, so that
#   from_pretrained builds, and the record tells of, another model. np.float64 is a float and is kept; np.float32 and
#   np.int64 are not. PyTorchModelHubMixin is built on the same class.
# Seen: built with temperature 0.07 and width 3; config.json {'temperature': 1.0, 'width': 8}, loaded with 1.0 and 8.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet huggingface_hub==2.4.0 numpy==2.4.6 jinja2==3.1.6
venv/bin/python - <<'PY'
import json
from pathlib import Path

import numpy as np
from huggingface_hub import ModelHubMixin


class Model(ModelHubMixin):
    def __init__(self, temperature=1.0, width=8):
        self.temperature, self.width = temperature, width

    def _save_pretrained(self, save_directory):
        pass

    @classmethod
    def _from_pretrained(cls, **given):
        return cls(**{name: given[name] for name in ("temperature", "width") if name in given})


def through(folder, *args):
    Model(*args).save_pretrained(folder)
    loaded = Model.from_pretrained(folder)
    return loaded.temperature, loaded.width, json.loads(Path(folder, "config.json").read_text())


dropped, kept = through("dropped", np.float32(0.07), np.int64(3)), through("kept", np.float64(0.07), 3)
print(dropped, kept)
assert dropped == (1.0, 8, {"temperature": 1.0, "width": 8})
assert kept == (0.07, 3, {"temperature": 0.07, "width": 3})
PY
