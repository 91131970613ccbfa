"""Calibration: the reference rows of a draft of the world, their numbers without dimension, and the log of all trials.

A trial runs zero-shot, each task alone, Continual Finetune, l2 and LwF, and nothing else: no other method may steer the
world. It is judged on validation pictures and on seeds of 1000 and up.
"""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from gift_lib.config import Experiment, experiment
from gift_lib.data import load_tasks, mini
from gift_lib.data.mini.worlds import World, draft
from gift_lib.errors import ConfigError
from gift_lib.evaluation import accuracy, evaluate
from gift_lib.files import atomic_write, cache_root, digest, read_json, write_json
from gift_lib.tasks import Task
from gift_lib.training import Progress, Runtime, build_method, fit, numerics
from gift_lib.world.numbers import Rows, numbers

LOG = Path(__file__).resolve().parents[2] / "book" / "data" / "calibration.jsonl"
#: The only methods that calibration may run.
METHODS = ("finetune", "l2", "lwf")
SEED = 1000


@dataclass(frozen=True)
class Trial:
    """A draft of the world with the settings of its runs. `why` is written before, `left` after the numbers."""

    name: str
    why: str
    knobs: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    methods: Sequence[str] = ("finetune",)
    orders: Sequence[str] = ("I", "II")
    seed: int = SEED
    #: Folder of a CLIP of its own; the shipped one where empty.
    clip: str = ""

    def __post_init__(self):
        wrong = [m for m in self.methods if m not in METHODS]
        if wrong:
            raise ConfigError(f"calibration runs {', '.join(METHODS)} only, not {', '.join(wrong)}.")
        if self.seed < 1000:
            raise ConfigError(f"seed {self.seed} is for reporting: calibration takes seeds of 1000 and up.")

    def experiment(self, method: str, order: str) -> Experiment:
        """The run of one method in one order."""
        world = draft(World(version=2, **self.knobs)) if self.knobs else "1"
        clip = {"model": self.clip} if self.clip else {}
        return experiment(method=method, order=order, world=world, seed=self.seed, **clip, **self.settings)


def run(trial: Trial) -> dict[str, Any]:
    """The trial's line of the log. Rows that are there already (a killed trial, or one with fewer methods) are kept."""
    torch.set_num_threads(1)
    first = trial.experiment("finetune", "I")
    rows, seconds = {}, 0.0
    names = [t.name for t in load_tasks(first)]
    alone = _kept(trial.experiment("upper-bound", "I"), _alone)
    rows["zero_shot"], rows["alone"] = alone["zero_shot"], alone["alone"]
    for order in trial.orders:
        for method in trial.methods:
            found = _kept(trial.experiment(method, order), _sequence)
            rows[f"{method}-{order}"] = found["R"]
            seconds += found["seconds"]
    line = {
        "trial": trial.name, "why": trial.why, "left": "", "world": mini.world_hash(world=first.world),
        "knobs": dict(trial.knobs), "settings": dict(trial.settings), "clip": trial.clip or first.model,
        "seed": trial.seed, "tasks": names, "rows": rows, "cpu_seconds": round(seconds + alone["seconds"]),
    }  # fmt: skip
    return line | {"numbers": measured(line)}


def measured(line: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """The numbers without dimension of a line of the log, by order."""
    rows, found = line["rows"], {}
    for order in ("I", "II"):
        R = {k.removesuffix(f"-{order}"): v for k, v in rows.items() if k.endswith(f"-{order}")}
        if R:
            names = [t.name for t in load_tasks(experiment(order=order))]
            zero, alone = ([rows[k][line["tasks"].index(n)] for n in names] for k in ("zero_shot", "alone"))
            found[order] = {k: round(v, 3) for k, v in numbers(Rows(names, zero, alone, R)).items()}
    return found


def _kept(e: Experiment, make) -> dict[str, Any]:
    """What `make` finds for an experiment, from the cache where it has been found before."""
    key = digest({**e.to_dict(), "world": mini.world_hash(world=e.world)})
    file = cache_root() / "world" / "trials" / f"{key}.json"
    if not file.exists():
        used = time.process_time()
        with numerics("cpu"):
            found = make(e)
        write_json(file, found | {"seconds": time.process_time() - used})
    return read_json(file)


def _alone(e: Experiment) -> dict[str, Any]:
    """Zero-shot, and each task from the pre-trained model, on validation pictures."""
    tasks, runtime = load_tasks(e), Runtime(progress=False)
    method = build_method(e, runtime, len(tasks))
    zero, alone = evaluate(method, tasks, "val"), []
    for t, task in enumerate(tasks):
        _fit(method, t, task, runtime)
        method.forget_classifiers()
        alone.append(accuracy(method, task, task.val))
    return {"zero_shot": _rounded(zero), "alone": _rounded(alone)}


def _sequence(e: Experiment) -> dict[str, Any]:
    """R of a method over the tasks in order, on validation pictures."""
    tasks, runtime, R = load_tasks(e), Runtime(progress=False), []
    method = build_method(e, runtime, len(tasks))
    for t, task in enumerate(tasks):
        _fit(method, t, task, runtime)
        R.append(_rounded(evaluate(method, tasks, "val")))
    return {"R": R}


def _fit(method, t: int, task: Task, runtime: Runtime) -> None:
    fit(method, t, task, None, runtime, Progress(), save=lambda **_: None)
    method.model.eval()


def _rounded(values: Sequence[float]) -> list[float]:
    return [round(v, 1) for v in values]


def lines() -> list[dict[str, Any]]:
    """The log, oldest trial first."""
    if not LOG.exists():
        return []
    return [json.loads(line) for line in LOG.read_text(encoding="utf-8").splitlines()]


def write(line: Mapping[str, Any]) -> None:
    """Put a trial's line into the log: in its old place where the trial is there already, with what was said of it."""
    known = {old["trial"]: old for old in lines()}
    known[line["trial"]] = {**line, "left": line["left"] or known.get(line["trial"], {}).get("left", "")}
    with atomic_write(LOG) as temporary:
        temporary.write_text("".join(json.dumps(k) + "\n" for k in known.values()), encoding="utf-8")


def leave(name: str, why: str) -> None:
    """Say of a trial why it was left; ConfigError where the log has none of that name."""
    found = [line for line in lines() if line["trial"] == name]
    if not found:
        raise ConfigError(f"the calibration log has no trial {name!r}.")
    write({**found[0], "left": why})
