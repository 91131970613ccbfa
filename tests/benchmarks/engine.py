"""What the batch engine costs per run beyond the run itself: `python -m tests.benchmarks --only engine`.

A job of a batch (locks, papermill, a kernel, the page's tables and figures) against a script that imports the same
modules and makes the same record, in turns; seconds on the clock and of the processor. Snakemake's own 20 ms per job,
and its start, which reads the plan once per batch, stand outside.
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from gift_lib import results
from gift_lib.files import write_json
from gift_lib.runs.repository import ROOT
from tests.benchmarks import timing

TINY = {"tasks": ["digits", "terrain"], "steps": 2, "images_per_task": 8, "denoising_steps": 1, "batch_size": 8,
        "synthetic_batch_size": 8, "synthetic_seed": 0}  # fmt: skip


def imports() -> str:
    """Every import of the experiment page, as one script."""
    cells = json.loads((ROOT / "notebooks" / "experiment.ipynb").read_text(encoding="utf-8"))["cells"]
    lines = [line.rstrip() for c in cells if c["cell_type"] == "code" for line in c["source"]]
    return "\n".join(x for x in lines if x.startswith(("import ", "from ")))


def plain(values: dict) -> list[str]:
    """The same record without an engine."""
    script = (
        f"{imports()}\nimport json, sys\n"
        "from gift_lib.runs.parameters import experiment_of\nv = json.loads(sys.argv[1])"
    )
    script += "\nrun(experiment_of(v), Runtime(progress=False), v['results'])"
    return [sys.executable, "-c", script, json.dumps(values)]


def job(values: dict) -> list[str]:
    """The line that the Snakefile runs."""
    folder = Path(values["results"])
    places = ["--notebook", str(folder / "run.ipynb"), "--output", str(folder / "none.json")]
    return [sys.executable, "-m", "gift_lib.runs.jobs", json.dumps(values), *places]


def seconds(command: list[str], cache: str) -> tuple[float, float]:
    """On the clock, and of the processor with all children."""
    before, start = _cpu(), time.perf_counter()
    environment = {**os.environ, "GIFT_CACHE": cache, "OMP_NUM_THREADS": "1"}
    subprocess.run(command, env=environment, cwd=ROOT / "notebooks", check=True, capture_output=True)
    return time.perf_counter() - start, _cpu() - before


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measure(pairs: int) -> dict[str, list[tuple[float, float]]]:
    """Seconds on the clock and of the processor of each kind of process, taken in turns."""
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
    taken["overhead"] = [
        (job_clock - plain_clock, job_cpu - plain_cpu)
        for (job_clock, job_cpu), (plain_clock, plain_cpu) in zip(taken["job"], taken["plain script"], strict=True)
    ]
    return taken


def main(device: str = "cpu", pairs: int = 5) -> None:
    """Print the medians and write build/bench/engine.json."""
    medians = {}
    print(f"\nengine (per run, {pairs} turns)")
    for name, found in measure(pairs).items():
        clock, cpu = (statistics.median(x) for x in zip(*found, strict=True))
        medians[name] = {"clock": clock, "cpu": cpu, "spread": [min(c for c, _ in found), max(c for c, _ in found)]}
        print(f"{name:14s} {clock:6.2f} s on the clock  {cpu:6.2f} s of the processor")
    made_on = results.environment(device)
    write_json(timing.OUTPUT / "engine.json", {"seconds": medians, "pairs": pairs, **made_on})


if __name__ == "__main__":
    main()
