"""What the Snakefile calls: the plan of a batch, shared pictures, one papermill run, and the state of it all."""

import argparse
import fcntl
import functools
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gift_lib import sweeps
from gift_lib.config import Experiment, experiment
from gift_lib.errors import GiftError
from gift_lib.files import cache_root, digest, make_folder, write_json

#: The settings that decide which pictures a run uses; runs that agree on them share one generation job.
PICTURE_SETTINGS = (
    "scale", "order", "tasks", "pictures_seed", "pipeline", "precision", "images_per_task", "denoising_steps",
    "guidance_scale", "scheduler", "prompt_source", "prompt_template", "pool_growth", "prompt_draws",
)  # fmt: skip


@functools.cache
def _identity(method: str, scale: str, model: str, pipeline: str, source: str) -> Mapping[str, Any]:
    """Hashes of world and weights depend on these alone; reading weights once per batch is enough."""
    from gift_lib.training import identity_of

    return identity_of(experiment(scale, method=method, model=model, pipeline=pipeline, synthetic_source=source))


def identity(e: Experiment) -> Mapping[str, Any]:
    """`training.identity_of`, computed once for all runs of one kind."""
    return _identity(e.method, e.scale, e.model, e.pipeline, e.synthetic_source)


def plan(name: str, scale: str, seeds: str, folder: str | Path) -> dict[str, Experiment]:
    """The runs of one or more sweeps by the stem of their record's file name."""
    from gift_lib import results

    wanted = sweeps.runs(sweeps.load_many(name, scale, sweeps.seed_list(seeds))).values()
    return {results.path_of(folder, e, identity(e)).stem: e for e in wanted}


def pictures_key(e: Experiment) -> str:
    """16 hex digits that name the pictures of a run; '' where it needs none to be generated."""
    from gift_lib import methods

    if not methods.find(e.method).uses_synthetic or e.synthetic_source != "diffusion":
        return ""
    values = {k: getattr(e, k) for k in PICTURE_SETTINGS}
    return digest({**values, "tasks": list(e.tasks), "identity": dict(identity(e))})


@contextmanager
def one_gpu(count: int) -> Iterator[dict[str, str]]:
    """The environment for a job that owns one of `count` GPUs of this machine: a lock file per device.

    A batch engine only counts GPUs; this says which. Under Slurm (count 0) the device is set already.
    """
    if count == 0:
        yield dict(os.environ)
        return
    folder = make_folder(cache_root() / "gpus")
    for device in range(count):
        lock = open(folder / str(device), "w")  # noqa: SIM115 - closing it gives the device back
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            continue
        with lock:
            yield {**os.environ, "CUDA_VISIBLE_DEVICES": str(device)}
        return
    raise GiftError(f"all {count} GPUs are taken. Start with --resources gpu={count}, so that jobs wait their turn.")


def from_parameters(values: Mapping[str, Any]) -> Experiment:
    """The experiment that `sweeps.parameters` described."""
    named = {k: values[k] for k in ("method", "order", "seed", "scale")}
    return experiment(**{**named, **values["overrides"]})


def pictures(values: Mapping[str, Any], device: str, gpus: int, output: Path) -> None:
    """Generate a run's pictures into the cache, and say how many there are."""
    from gift_lib.data import load_tasks
    from gift_lib.generate import prepare
    from gift_lib.training import Runtime

    e = from_parameters(values)
    with one_gpu(gpus) as environment:
        os.environ.update(environment)
        count = prepare(e, load_tasks(e), Runtime(device=device))
    write_json(output, {"parameters": dict(values), "pictures": count})


def run(values: Mapping[str, Any], gpus: int, notebook: Path) -> int:
    """One papermill execution of the experiment notebook, on one thread; its exit status."""
    make_folder(notebook.parent)
    source = sweeps.ROOT / "notebooks" / "experiment.ipynb"
    with one_gpu(gpus) as environment:
        command = [sys.executable, "-m", "papermill", str(source), str(notebook), "-y", json.dumps(dict(values)),
                   "--no-progress-bar", "--cwd", str(source.parent)]  # fmt: skip
        return subprocess.run(command, env={**environment, "OMP_NUM_THREADS": "1"}, check=False).returncode


def status(name: str, scale: str, seeds: str, folder: Path, runs: Path, jobs: int) -> str:
    """Runs done, running, failed and missing, per variant and in all, with the time that is left."""
    from gift_lib import results

    rows, left, times = [], 0, []
    for sweep in sweeps.load_many(name, scale, sweeps.seed_list(seeds)):
        rows.append(f"{sweep.name}: {sweep.title}")
        for variant in sweep.variants:
            states = []
            for cell in (c for c in sweep.cells if c.variant == variant):
                path = results.path_of(folder, cell.experiment, identity(cell.experiment))
                states.append(_state(path, runs / scale / f"{path.stem}.ipynb"))
                if states[-1] == "done":
                    times.append(results.read(path)["run"]["seconds"])
            left += sum(s != "done" for s in states)
            counts = ", ".join(
                f"{states.count(s)} {s}" for s in ("done", "running", "failed", "missing") if s in states
            )
            rows.append(f"  {variant:32s} {counts}")
    hours = left * statistics.median(times) / jobs / 3600 if times else None
    about = f", about {hours:.1f} h with {jobs} at a time" if hours is not None and left else ""
    return "\n".join([*rows, f"{left} runs to go{about}."])


def _state(record: Path, notebook: Path) -> str:
    """A run holds a lock while it works; a notebook without a record and without a lock has failed."""
    if record.exists():
        return "done"
    lock = cache_root() / "runs" / record.stem.rsplit("-", 1)[1] / "lock"
    if lock.exists():
        with open(lock) as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return "running"
    return "failed" if notebook.exists() else "missing"


def main(arguments: Sequence[str] | None = None) -> int:
    """`python -m gift_lib.batch pictures|run|status ...`, as the Snakefile and `make sweep-status` call it."""
    parser = argparse.ArgumentParser(prog="python -m gift_lib.batch", description=__doc__)
    parser.add_argument("action", choices=("pictures", "run", "status"))
    parser.add_argument("what", help="the run's parameters as JSON; for status, the names of sweeps, or all")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--gpus", type=int, default=0)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--notebook", type=Path)
    parser.add_argument("--scale", default="mini")
    parser.add_argument("--seeds", default="")
    parser.add_argument("--results", type=Path, default=sweeps.RESULTS)
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--jobs", type=int, default=2)
    args = parser.parse_args(arguments)
    try:
        if args.action == "status":
            print(status(args.what, args.scale, args.seeds, args.results, args.runs, args.jobs))
        elif args.action == "pictures":
            pictures(json.loads(args.what), args.device, args.gpus, args.output)
        else:
            return run(json.loads(args.what), args.gpus, args.notebook)
    except GiftError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
