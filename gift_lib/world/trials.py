"""Calibration: the reference rows of a draft of the world, their numbers without dimension, and the log of all trials.

A trial runs zero-shot, each task alone, Continual Finetune, l2 and LwF, and nothing else: no other method may steer the
world. It is judged on validation pictures and on seeds of 1000 and up.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
import torch

from gift_lib.config import Experiment, experiment
from gift_lib.data import load_tasks, mini
from gift_lib.data.mini.worlds import World, draft
from gift_lib.errors import ConfigError, nearest
from gift_lib.evaluation import accuracy, evaluate
from gift_lib.files import cache_root, digest, read_json, read_lines, write_json, write_lines
from gift_lib.generate import Source
from gift_lib.methods import Method
from gift_lib.pictures import SyntheticSet
from gift_lib.pool import prompt_stream
from gift_lib.tasks import Task
from gift_lib.training import Progress, Runtime, build_method, fit, numerics
from gift_lib.world.numbers import DATA, METHODS, by_order, published, verdicts

LOG = DATA / "calibration.jsonl"
#: The only rows that calibration may run.
ROWS = ("alone", *METHODS)
SEED = 1000
QUIET = Runtime(progress=False)


@dataclass(frozen=True)
class Trial:
    """A draft of the world with the settings of its runs. `why` is written before, `left` after the numbers."""

    name: str
    why: str
    knobs: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    rows: Sequence[str] = ("finetune",)
    orders: Sequence[str] = ("I", "II")
    seed: int = SEED
    #: Folder of a CLIP of its own; the shipped one where empty.
    clip: str = ""

    def __post_init__(self):
        wrong = [m for m in self.rows if m not in ROWS]
        if wrong:
            raise ConfigError(f"calibration runs {', '.join(ROWS)} only, not {', '.join(wrong)}.")
        if self.seed < 1000:
            raise ConfigError(f"seed {self.seed} is for reporting: calibration takes seeds of 1000 and up.")

    @property
    def run_settings(self) -> dict[str, Any]:
        """What its runs change of the Experiment's defaults."""
        world = draft(World(version=2, **self.knobs)) if self.knobs else "1"
        return {"world": world, "seed": self.seed, **self.settings}

    def experiment(self, method: str, order: str) -> Experiment:
        """The run of a method in an order."""
        clip = {"model": self.clip} if self.clip else {}
        return experiment(method=method, order=order, **clip, **self.run_settings)


def run(trial: Trial) -> Iterator[dict[str, Any]]:
    """The trial's line of the log, anew after each of its rows, so that a hopeless one can be stopped.

    Rows that are there already (of a trial that was stopped, or that had fewer rows) are not run again.
    """
    torch.set_num_threads(1)
    first = trial.experiment("finetune", "I")
    line = {
        "trial": trial.name, "why": trial.why, "left": "", "world": mini.world_hash(world=first.world),
        "knobs": dict(trial.knobs), "settings": dict(trial.settings), "clip": trial.clip or first.model,
        "seed": trial.seed, "tasks": [t.name for t in load_tasks(first)], "rows": {}, "cpu_seconds": 0,
    }  # fmt: skip
    for name, e, make in _rows(trial):
        found = _kept(name, e, make)
        line["rows"][name] = found["rows"]
        line["cpu_seconds"] += round(found["seconds"])
        yield line | {"numbers": by_order(line["tasks"], line["rows"])}


def _rows(trial: Trial) -> Iterator[tuple[str, Experiment, Callable[[Experiment], list]]]:
    yield "zero_shot", trial.experiment("zero-shot", "I"), _zero_shot
    for method in trial.rows:
        if method == "alone":
            yield "alone", trial.experiment("upper-bound", "I"), _alone
        else:
            yield from ((f"{method}-{o}", trial.experiment(method, o), sequence) for o in trial.orders)


def _kept(name: str, e: Experiment, make: Callable[[Experiment], list]) -> dict[str, Any]:
    """What `make` finds for an experiment, from the cache where it has been found before."""
    key = digest([name, {**e.to_dict(), "world": mini.world_hash(world=e.world)}])
    file = cache_root() / "world" / "trials" / f"{key}.json"
    if not file.exists():
        used = time.process_time()
        with numerics("cpu"):
            rows = make(e)
        write_json(file, {"rows": rows, "seconds": time.process_time() - used})
    return read_json(file)


def _zero_shot(e: Experiment) -> list[float]:
    """Accuracies of the pre-trained model on validation pictures."""
    tasks = load_tasks(e)
    return _rounded(evaluate(build_method(e, QUIET, len(tasks)), tasks, "val"))


def _alone(e: Experiment) -> list[float]:
    """Accuracy on each task, fine-tuned from the pre-trained model."""
    tasks, found = load_tasks(e), []
    method = build_method(e, QUIET, len(tasks))
    for t, task in enumerate(tasks):
        _fit(method, t, task)
        method.forget_classifiers()
        found.append(accuracy(method, task, task.val))
    return _rounded(found)


def sequence(e: Experiment, places: int = 1) -> list[list[float]]:
    """R of a method over the tasks in order, on validation pictures, in percent to some places."""
    tasks = load_tasks(e)
    method = build_method(e, QUIET, len(tasks))
    source, counts, R = Source(e, QUIET) if method.uses_synthetic else None, Counter(), []
    for t, (task, prompts) in enumerate(zip(tasks, prompt_stream(e, tasks), strict=False)):
        _fit(method, t, task, source(prompts, counts) if source else None)
        R.append(_rounded(evaluate(method, tasks, "val"), places))
        counts.update(prompts)
    return R


def _fit(method: Method, t: int, task: Task, drawn: SyntheticSet | None = None) -> None:
    fit(method, t, task, drawn, QUIET, Progress(), save=lambda **_: None)
    method.model.eval()


def _rounded(values: Sequence[float], places: int = 1) -> list[float]:
    return [round(v, places) for v in values]


def lines() -> list[dict[str, Any]]:
    """The log, oldest trial first."""
    return read_lines(LOG)


def write(line: Mapping[str, Any]) -> None:
    """Put a trial's line into the log: in its old place where the trial is there already, with what was said of it."""
    known = {old["trial"]: old for old in lines()}
    known[line["trial"]] = {**line, "left": line["left"] or known.get(line["trial"], {}).get("left", "")}
    write_lines(LOG, known.values())


def named(name: str) -> Trial:
    """A trial of the log again, to add rows to it; ConfigError where the log has none of that name."""
    found = [line for line in lines() if line["trial"] == name]
    if not found:
        raise ConfigError(f"the calibration log has no trial {name!r}; {nearest(name, [x['trial'] for x in lines()])}")
    line = found[0]
    clip = "" if line["clip"] == "mini" else line["clip"]
    return Trial(name, line["why"], line["knobs"], line["settings"], seed=line["seed"], clip=clip)


def leave(name: str, why: str) -> None:
    """Say of a trial why it was left; ConfigError where the log has none of that name."""
    named(name)
    write({**next(line for line in lines() if line["trial"] == name), "left": why})


def overview(log: Sequence[Mapping[str, Any]] | None = None) -> pd.DataFrame:
    """A row per trial: what it tried, how many of the published numbers it gave and met, and why it was left."""
    rows = []
    for line in lines() if log is None else log:
        found = verdicts(line["numbers"])
        met = sum(v["verdict"] == "agrees" for v in found)
        rows.append({"trial": line["trial"], "why": line["why"], "rows": ", ".join(line["rows"]),
                     "numbers that agree": f"{met} of {len(found)}", "left": line["left"]})  # fmt: skip
    return pd.DataFrame(rows).set_index("trial")


def side_by_side(log: Sequence[Mapping[str, Any]] | None = None) -> pd.DataFrame:
    """A row per number and order: the published value, then a column per trial (NaN where a row was not run)."""
    log = lines() if log is None else log
    rows = {(p["number"], p["order"]): {"published": float(p["published"])} for p in published()}
    for (number, order), row in rows.items():
        row |= {line["trial"]: line["numbers"].get(order, {}).get(number, float("nan")) for line in log}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis(["number", "order"])
