"""A batch of tiny runs in folders of its own, and the processes that work on it."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gift_lib import results
from gift_lib.config import Experiment
from gift_lib.files import canonical_json
from gift_lib.runs import batch, repository, yaml_io
from gift_lib.training import Runtime, run

#: Two tasks, two steps, eight pictures of one denoising step: starting a run takes longer than the run.
TINY = {"tasks": ["digits", "terrain"], "steps": 2, "images_per_task": 8, "denoising_steps": 1,
        "batch_size": 8, "synthetic_batch_size": 8}  # fmt: skip


@dataclass(frozen=True)
class Folders:
    """Where a batch of a test keeps everything: nothing of it is shared with other batches."""

    root: Path

    @property
    def results(self) -> Path:
        return self.root / "results"

    @property
    def runs(self) -> Path:
        return self.root / "runs"

    @property
    def cache(self) -> Path:
        return self.root / "cache"

    def write(self, variants: Mapping[str, Any], seeds: int = 1) -> str:
        """A sweep file of these variants of TINY; its path."""
        path = self.root / "tiny.yml"
        path.write_text(yaml_io.line({"title": "Tiny", "base": TINY, "seeds": seeds, "variants": dict(variants)}))
        return str(path)

    def command(self, *options: str, name: str = "", **config: Any) -> list[str]:
        """The documented command over these folders."""
        config = {"name": name or self.root / "tiny.yml", "scale": "mini", "results": self.results, "runs": self.runs,
                  **config}  # fmt: skip
        program = [sys.executable, "-m", "snakemake", "--snakefile", str(repository.ROOT / "Snakefile")]
        return [*program, "--directory", str(self.root), "--keep-going", "--keep-incomplete", "--rerun-incomplete",
                "--nolock", *options, "--config", *(f"{k}={v}" for k, v in config.items())]  # fmt: skip

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "GIFT_CACHE": str(self.cache), "OMP_NUM_THREADS": "1"}

    def snakemake(self, *options: str, **config: Any) -> subprocess.CompletedProcess:
        """Run the command to its end; its output as text."""
        command = self.command(*options, **config)
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)

    def start(self, *options: str) -> subprocess.Popen:
        """Start the command in a session of its own, its output in `batch.log`."""
        with open(self.root / "batch.log", "a") as log:
            return subprocess.Popen(
                self.command(*options), env=self.environment, stdout=log, stderr=log, start_new_session=True
            )

    def records(self) -> dict[str, str]:
        """{file name: `result` block as text} of the finished runs."""
        return {p.name: result_of(results.read(p)) for p in (self.results / "mini").glob("*.json")}

    def processes(self) -> dict[int, str]:
        """The command lines, by process id, of everything that works on this batch, kernels of notebooks included."""
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                surroundings = (folder / "environ").read_bytes().decode(errors="replace")
            except OSError:  # it has ended
                continue
            if f"GIFT_CACHE={self.cache}" in surroundings.split("\0") and line:
                found[int(folder.name)] = line
        return found

    def kill_all(self) -> None:
        """End what a failed test left."""
        for pid in self.processes():
            kill(pid)


def kill(pid: int) -> None:
    """kill -9; a process that has ended is no error."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def wait_for(condition, seconds: float = 300.0, pause: float = 0.1):
    """The first true value of `condition()`; AssertionError after `seconds`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(pause)
    raise AssertionError(f"not within {seconds:g} s: {condition}")


def result_of(record: Mapping[str, Any]) -> str:
    """What must repeat to the byte."""
    return canonical_json(record["result"])


def undisturbed(planned: Mapping[str, Experiment], cache: Path) -> dict[str, str]:
    """{file name: `result` block} of the same runs without any batch engine, one after the other."""
    runtime = Runtime(cache_dir=str(cache), progress=False)
    return {f"{stem}.json": result_of(run(e, runtime)) for stem, e in planned.items()}


def plan(folders: Folders) -> dict[str, Experiment]:
    """The runs of the tiny sweep by the stem of their record."""
    return batch.plan(str(folders.root / "tiny.yml"), "mini", "", folders.results)
