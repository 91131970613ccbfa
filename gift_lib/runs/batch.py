"""What the Snakefile calls: the plan of a batch, the pictures that runs share, and the state of it all."""

import argparse
import dataclasses
import functools
import json
import os
import random
import statistics
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from gift_lib.config import NUMERICS_VERSION, Experiment, experiment, from_dict
from gift_lib.device import find_device, named_device
from gift_lib.errors import ConfigError, DataError, GiftError, nearest
from gift_lib.files import cache_root, digest, expanded, held, read_json, write_json
from gift_lib.runs import numerics, parameters, sweeps
from gift_lib.runs.arguments import at_least
from gift_lib.runs.jobs import is_record, lock_of, one_gpu, put_aside

#: The settings that decide which pictures a run uses; runs that agree on them share one generation job.
PICTURE_SETTINGS = (
    "order", "tasks", "pipeline", "precision", "images_per_task", "denoising_steps", "guidance_scale", "scheduler",
    "prompt_source", "prompt_template", "pool_growth", "prompt_draws",
)  # fmt: skip
#: The settings that decide the hashes of world, weights and method.
IDENTITY_SETTINGS = ("method", "world", "model", "pipeline", "synthetic_source", "order", "tasks")
#: Pictures that a job draws before it looks again which of the rest another job has drawn meanwhile.
BLOCK = 64


@dataclass(frozen=True)
class Asked:
    """What `snakemake --config` asks for."""

    name: str = "all"
    scale: str = "mini"
    seeds: str = ""
    results: str = str(sweeps.RESULTS)
    runs: str = "runs"
    device: str = "cpu"
    gpus: int = 0


def asked(config: Mapping[str, Any], cores: int | None, local: bool) -> Asked:
    """The settings of a batch, checked before anything is planned: ConfigError for what could do nothing.

    `local` is whether its runs are to work on this very machine, whose devices can be looked at.
    """
    known = [f.name for f in dataclasses.fields(Asked)]
    for name in config:
        if name not in known:
            raise ConfigError(f"a batch has no setting {name!r}; {nearest(name, known)}")
    if cores is not None and cores < 1:
        raise ConfigError(f"{cores} runs at a time: give at least one core (JOBS=2, or --cores 2).")
    for name, value in config.items():
        if isinstance(value, (Mapping, list)):
            raise ConfigError(f"Snakemake takes {name} for {value!r}: choose a name without such signs.")
    given = {k: "" if v is None else str(v) for k, v in config.items()}
    gpus = at_least(0)(given.pop("gpus", "0"))
    a = Asked(**given, gpus=gpus)
    paths = {k: str(expanded(getattr(a, k))) for k in ("results", "runs")}
    for path in (*paths.values(), str(drawn_folder())):
        if "{" in path or "}" in path:
            raise ConfigError(f"{path}: Snakemake cannot have braces in a path. Choose another folder.")
    return dataclasses.replace(a, **paths, device=_device(a.device, gpus, local))


def _device(name: str, gpus: int, local: bool) -> str:
    """The device of all runs; of a cluster's only the name can be checked."""
    if not local:
        named_device(name)
        return name
    device = find_device(name)
    if gpus and not device.startswith("cuda"):
        raise ConfigError(f"gpus={gpus} is for device=cuda, not for {device!r}.")
    if gpus > torch.cuda.device_count():
        raise ConfigError(f"gpus={gpus} asked for, but there are {torch.cuda.device_count()}: some would never start.")
    return device


@functools.cache
def _identity(e: Experiment) -> Mapping[str, Any]:
    """Reading weights once per batch is enough."""
    from gift_lib.training import identity_of

    return identity_of(e)


def identity(e: Experiment) -> Mapping[str, Any]:
    """`training.identity_of`, computed once for all runs of one kind; DataError where weights or data are missing."""
    from gift_lib import data

    if e.synthetic_source == "real" and not data.has_real_pictures(e):
        raise DataError(f"at scale {e.scale} nobody has a real picture of every prompt.")
    kind = {k: getattr(e, k) for k in IDENTITY_SETTINGS}
    if e.scale == "mini":  # its data are one world, whatever the tasks
        kind |= {"order": "I", "tasks": ()}
    return _identity(experiment(e.scale, **kind))


def plan(name: str, scale: str, seeds: str, folder: str | Path) -> dict[str, Experiment]:
    """The runs of one or more sweeps by the stem of their record's file name.

    Runs whose weights or data are not there are left out, and the reason is said: they do not stop the others.
    Raises ConfigError for tasks that do not exist, or are not in the order, and where no run is left.
    """
    wanted = sweeps.runs(sweeps.load_many(name, scale, sweeps.seed_list(seeds))).values()
    found, lacking = {}, Counter()
    for e in wanted:
        try:
            _check_tasks(e.scale, e.model, e.order, e.tasks, e.lr_per_task)
            found[record_path(folder, e).stem] = e
        except DataError as error:
            lacking[str(error)] += 1
    for reason, count in lacking.items():
        print(f"{count} runs are left out: {reason}", file=sys.stderr)
    if not found:
        raise ConfigError(f"sweep {name!r} has no run that can be made here.")
    return found


@functools.cache
def _check_tasks(scale: str, model: str, order: str, tasks: tuple[str, ...], lr_per_task: Mapping[str, float]) -> None:
    """Raise ConfigError for a task that does not exist or is not in the order: once for all runs of one kind."""
    from gift_lib import data

    data.load_tasks(experiment(scale, model=model, order=order, tasks=tasks, lr_per_task=lr_per_task))


def is_current(record: Mapping[str, Any]) -> bool:
    """Whether the library, world and weights of today would write this very record.

    DataError where its weights are not here (those that are made, not shipped).
    """
    return record["identity"] == identity(from_dict(record["config"]))


def standing_records(*folders: str | Path) -> list[Mapping[str, Any]]:
    """The records that tables may use: of each run the current one, else the newest of an older numerics version.

    The same record in two folders counts once.

    Never one of another world or other weights. A record whose weights are not here stays: nothing says that they
    have changed.
    """
    from gift_lib import results

    found = {r["key"]: r for folder in folders for r in results.read_all(folder)}
    return numerics.newest(r for r in found.values() if _may_stand(r))


def _may_stand(record: Mapping[str, Any]) -> bool:
    if numerics.version_of(record) > NUMERICS_VERSION:
        return False
    try:
        return same_world(record)
    except DataError:
        return True


def same_world(record: Mapping[str, Any]) -> bool:
    """Whether a record is of the world and weights of today, whatever its numerics version."""
    return {**record["identity"], "numerics": NUMERICS_VERSION} == identity(from_dict(record["config"]))


def record_path(folder: str | Path, e: Experiment) -> Path:
    """Where the current record of an experiment is, or would be; DataError where its weights or data are missing."""
    from gift_lib import results

    return results.Address(e, identity(e)).path(folder)


def to_do(planned: Mapping[str, Experiment], folder: str | Path, scale: str) -> list[str]:
    """The stems without a whole record. What is there is never part of a batch: nothing can remove it by mistake.

    A broken record gets another name: the engine would take its file for the record and have nothing to do.
    """
    places = {stem: expanded(folder) / scale / f"{stem}.json" for stem in planned}
    stems = [stem for stem, place in places.items() if not is_record(place)]
    for place in (places[stem] for stem in stems):
        if place.exists():
            put_aside(place)
    return stems


def pictures_of(e: Experiment) -> Experiment | None:
    """The experiment with a run's pictures and presets for the rest; None where nothing is to be generated."""
    from gift_lib import methods

    if not methods.find(e.method).uses_synthetic or e.synthetic_source != "diffusion":
        return None
    return experiment(e.scale, synthetic_seed=e.pictures_seed, **{k: getattr(e, k) for k in PICTURE_SETTINGS})


def pictures_key(e: Experiment) -> str:
    """16 hex digits that name the pictures of a run; '' where it needs none to be generated."""
    drawn = pictures_of(e)
    if drawn is None:
        return ""
    made_by = {k: v for k, v in identity(drawn).items() if k != "clip"}
    return digest({"config": drawn.to_dict(), "identity": made_by})


def drawn(device: str, key: str) -> Path:
    """The file that says that the pictures of `pictures_key` were drawn on a kind of device."""
    return drawn_folder() / f"{device.partition(':')[0]}-{key}.json"


def drawn_folder() -> Path:
    """Where these files lie: in the cache, as the pictures do, so that who clears one clears the other."""
    return cache_root().absolute() / "drawn"


def pictures(values: Mapping[str, Any], device: str, gpus: int, output: Path) -> None:
    """Generate a run's pictures into the cache, and say how many there are."""
    e, device = parameters.experiment_of(values), find_device(device)
    with one_gpu(gpus) as environment:
        os.environ.update(environment)
        count = _draw(e, device)
    write_json(output, {"parameters": dict(values), "pictures": count})


def _draw(e: Experiment, device: str) -> int:
    """Draw in random order, block by block: jobs that share pictures and run side by side share the work."""
    from gift_lib import generate
    from gift_lib.data import load_tasks
    from gift_lib.pictures import PictureCache

    wanted = list(dict.fromkeys(d for task in generate.plan(e, load_tasks(e)) for d in task))
    spec = generate.PipelineSpec.of(e, device)
    sampler = generate.sampler_of(e, spec)
    found = PictureCache(cache_root(), sampler).there(wanted)
    missing = [d for d in wanted if d not in found]
    random.shuffle(missing)
    for i in range(0, len(missing), BLOCK):
        generate.generate(spec, missing[i : i + BLOCK], sampler, progress=False)
    return len(wanted)


STATES = ("done", "running", "failed", "missing", "without weights or data")


def status(name: str, scale: str, seeds: str, folder: Path, runs: Path, jobs: int) -> str:
    """Runs done, running, failed and missing, per variant and in all, with the time that is left."""
    rows, states, times = [], {}, []
    for sweep in sweeps.load_many(name, scale, sweeps.seed_list(seeds)):
        rows.append(f"{sweep.name}: {sweep.title}")
        for variant in sweep.variants:
            own = {}
            for e in (c.experiment for c in sweep.cells if c.variant == variant):
                own[e.digest], seconds = state(e, folder, runs)
                times += [seconds] if seconds is not None and e.digest not in states else []
            states |= own
            rows.append(f"  {variant:32s} {_counts(list(own.values()))}")
    total = list(states.values())
    return "\n".join([*rows, f"In all {len(total)} runs: {_counts(total)}.{_time_left(total, times, jobs)}"])


def _counts(states: Sequence[str]) -> str:
    return ", ".join(f"{states.count(s)} {s}" for s in STATES if s in states)


def _time_left(states: Sequence[str], times: Sequence[float], jobs: int) -> str:
    """A guess from the runs that are done: those that are running have half of theirs behind them."""
    runs = sum({"done": 0, "running": 0.5, STATES[-1]: 0}.get(s, 1) for s in states)
    if not runs or not times:
        return ""
    seconds = runs * statistics.mean(times) / jobs
    left = (
        f"{seconds / 3600:.1f} h"
        if seconds > 5400
        else f"{seconds / 60:.0f} min"
        if seconds > 90
        else f"{seconds:.0f} s"
    )
    return f" About {left} to go with {jobs} at a time, pictures that are not drawn yet apart."


def state(e: Experiment, folder: Path, runs: Path) -> tuple[str, float | None]:
    """One of STATES, and the seconds that a run took if it is done and was never interrupted.

    A run holds its lock while it works; a notebook without a record and without a lock has failed.
    """
    try:
        record = record_path(folder, e)
    except DataError:
        return STATES[-1], None
    if is_record(record):
        made = read_json(record)["run"]
        return "done", None if made.get("resumed") else made["seconds"]  # of the last part alone
    notebook = runs / e.scale / f"{record.stem}.ipynb"
    if held(lock_of(notebook)):
        return "running", None
    return ("failed" if notebook.exists() else "missing"), None


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"a run's parameters must be JSON ({error}), not {text!r}.") from None


def main(arguments: Sequence[str] | None = None) -> int:
    """`python -m gift_lib.runs.batch pictures|status ...`, as the Snakefile and `make sweep-status` call it."""
    parser = argparse.ArgumentParser(prog="python -m gift_lib.runs.batch", description=__doc__)
    parser.add_argument("action", choices=("pictures", "status"))
    parser.add_argument("what", help="for pictures, a run's parameters as JSON; for status, names of sweeps, or all")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--gpus", type=at_least(0), default=0)
    parser.add_argument("--output", type=expanded, help="the file that the job is to leave")
    parser.add_argument("--scale", default="mini")
    parser.add_argument("--seeds", default="")
    parser.add_argument("--results", type=expanded, default=sweeps.RESULTS)
    parser.add_argument("--runs", type=expanded, default=Path("runs"))
    parser.add_argument("--jobs", type=at_least(1), default=2)
    args = parser.parse_args(arguments)
    try:
        if args.action == "status":
            print(status(args.what, args.scale, args.seeds, args.results, args.runs, args.jobs))
        elif args.output is None:
            raise ConfigError("say with --output which file is to tell that the pictures are there.")
        else:
            pictures(_json(args.what), args.device, args.gpus, args.output)
    except GiftError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
