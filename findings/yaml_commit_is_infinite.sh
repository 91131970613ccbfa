#!/usr/bin/env bash
# PyYAML 6.0.4 with omegaconf 2.4.0 and ruamel.yaml 0.19.1, 2026-11-28: to another library one commit in fifty is a number, and mostly infinity.
# Guess: a text that PyYAML wrote (it puts quotes around what would be a number) is a text for OmegaConf, which is built on PyYAML, and for ruamel.yaml.
# Behaviour: PyYAML quotes what PyYAML itself would read as a number, and for it 5e27189 is none, so that it is written plain; OmegaConf and ruamel.yaml
#  read it as 5 * 10 ** 27189, which is inf. 7e10 is 70000000000.0. For ruamel.yaml 08 is 8 and 000000000139 is 139 as well, 0o17 is 15;
#  OmegaConf keeps those. PyYAML reads its own text back rightly.
# Costs: the config that a logger dumped with PyYAML and that evaluation loads has another commit, run id or picture id, for two runs in a hundred; half of
#  these are then equal to each other (inf == inf), and "the result of this commit" is that of another. Nothing warns.
# Seen: of 8000 random commits of 7 hexadecimal digits (7720 of them not digits alone) OmegaConf and ruamel.yaml turn 143 into numbers, 82 into inf; PyYAML none.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet PyYAML==6.0.4 omegaconf==2.4.0 ruamel.yaml==0.19.1
venv/bin/python -W error - <<'PY'
import io
import math
import random

import yaml
from omegaconf import OmegaConf
from ruamel.yaml import YAML

random.seed(0)
commits = [f"{random.getrandbits(28):07x}" for _ in range(8000)]
commits = [commit for commit in commits if not commit.isdigit()]
ids = ["5e27189", "7e10", "08", "000000000139", "0o17"]


def read(texts):
    written = yaml.safe_dump({"ids": texts})
    readers = {
        "pyyaml": yaml.safe_load,
        "omegaconf": lambda text: OmegaConf.to_container(OmegaConf.load(io.StringIO(text))),
        "ruamel": lambda text: YAML(typ="safe", pure=True).load(text),
    }
    return {name: reader(written)["ids"] for name, reader in readers.items()}


few, many = read(ids), read(commits)
counts = {
    name: (sum(a != b for a, b in zip(commits, values)), sum(b == math.inf for b in values)) for name, values in many.items()
}
print(few, len(commits), counts)
assert few["pyyaml"] == ids
assert few["omegaconf"] == [math.inf, 7e10, *ids[2:]] and few["ruamel"] == [math.inf, 7e10, 8, 139, 15]
assert counts["pyyaml"] == (0, 0) and counts["omegaconf"] == counts["ruamel"] == (143, 82)
PY
