"""What the batch engine costs per run beyond the run itself: `python -m tests.benchmarks.engine [--pairs 3]`.

A job of a batch (locks, papermill, a kernel, the page's tables and figures) against a script that imports the same
modules and makes the same record, in turns; seconds on the clock and of the processor. Snakemake's own 20 ms per job,
and its start, which reads the plan once per batch, stand outside.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from gift_lib.repository import ROOT

TINY = {"tasks": ["digits", "terrain"], "steps": 2, "images_per_task": 8, "denoising_steps": 1, "batch_size": 8,
        "synthetic_batch_size": 8, "synthetic_seed": 0}  # fmt: skip


def imports() -> str:
    """Every import of the experiment page, as one script."""
    cells = json.loads((ROOT / "notebooks" / "experiment.ipynb").read_text(encoding="utf-8"))["cells"]
    lines = [line.rstrip() for c in cells if c["cell_type"] == "code" for line in c["source"]]
    return "\n".join(x for x in lines if x.startswith(("import ", "from ")))


def plain(values: dict) -> list[str]:
    """The same record without an engine."""
    script = f"{imports()}\nimport json, sys\nfrom gift_lib.batch import from_parameters\nv = json.loads(sys.argv[1])"
    script += "\nrun(from_parameters(v), Runtime(progress=False), v['results'])"
    return [sys.executable, "-c", script, json.dumps(values)]


def job(values: dict) -> list[str]:
    """The line that the Snakefile runs."""
    folder = Path(values["results"])
    places = ["--notebook", str(folder / "run.ipynb"), "--output", str(folder / "none.json")]
    return [sys.executable, "-m", "gift_lib.jobs", json.dumps(values), *places]


def seconds(command: list[str], cache: str) -> tuple[float, float]:
    """On the clock, and of the processor with all children."""
    before, start = _cpu(), time.perf_counter()
    environment = {**os.environ, "GIFT_CACHE": cache, "OMP_NUM_THREADS": "1"}
    subprocess.run(command, env=environment, cwd=ROOT / "notebooks", check=True, capture_output=True)
    return time.perf_counter() - start, _cpu() - before


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.engine", description=__doc__.split("\n")[0])
    parser.add_argument("--pairs", type=int, default=3)
    pairs = parser.parse_args().pairs
    kinds = {"imports alone": lambda v: [sys.executable, "-c", imports()], "plain script": plain, "job": job}
    taken: dict[str, list[tuple[float, float]]] = {k: [] for k in kinds}
    with tempfile.TemporaryDirectory() as folder:
        values = {
            "method": "gift",
            "order": "I",
            "scale": "mini",
            "overrides": TINY,
            "results": folder,
            "device": "cpu",
        }
        seconds(plain({**values, "seed": 999}), folder)  # draws the pictures, warms the disk's cache
        for i in range(pairs):
            for k, (name, command) in enumerate(kinds.items()):
                taken[name].append(seconds(command({**values, "seed": len(kinds) * i + k}), folder))
    for name, found in taken.items():
        clock, cpu = (statistics.median(x) for x in zip(*found, strict=True))
        print(f"{name:14s} {clock:6.2f} s on the clock  {cpu:6.2f} s of the processor")
    both = [
        [j - p for j, p in zip(*pair, strict=True)] for pair in zip(taken["job"], taken["plain script"], strict=True)
    ]
    clock, cpu = (statistics.median(x) for x in zip(*both, strict=True))
    print(f"{'overhead':14s} {clock:6.2f} s on the clock  {cpu:6.2f} s of the processor")


if __name__ == "__main__":
    main()
