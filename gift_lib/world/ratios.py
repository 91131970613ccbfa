"""Ratios of the published protocol beside those of a setting: what a scale model keeps, and what it leaves out."""

import csv
import math
from collections.abc import Sequence

from gift_lib.config import Experiment
from gift_lib.data.mini import CONCEPTS
from gift_lib.data.mini.worlds import find
from gift_lib.errors import DataError
from gift_lib.tasks import Task
from gift_lib.world.numbers import DATA


def ratios(e: Experiment, tasks: Sequence[Task], logit_scale: float) -> dict[str, str]:
    """Every ratio of the published table, as this setting has it, for tasks in Order I."""
    rates = {e.lr_of(t.name) / e.lr for t in tasks}
    classes = [len(t.classes) for t in tasks]
    names = [len(CONCEPTS), len(CONCEPTS) + sum(classes[:-1])]
    return {
        "learning rates": f"{max(rates):g} : 1",
        "epochs per task": ", ".join(f"{epochs(e, t):.2g}" for t in tasks),
        "passes over synthetic pictures": f"{e.steps / math.ceil(e.images_per_task / e.synthetic_batch_size):.3g}",
        "synthetic to real in a step": f"{e.synthetic_batch_size / e.batch_size:g} : 1",
        "synthetic pictures per name": ", ".join(f"{e.images_per_task / n:.2g}" for n in names),
        "warm-up": f"{e.warmup:g}",
        "steps per task": str(e.steps),
        "logit scale": f"{logit_scale:.3g}",
        "classes per task": f"{min(classes)} to {max(classes)}",
    }


def epochs(e: Experiment, task: Task) -> float:
    """How often every training picture of a task is seen."""
    return e.steps * e.batch_size / find(e.world).count(task.name, "train")


def published() -> dict[str, str]:
    """The published value of every ratio, by its name."""
    file = DATA / "ratios.csv"
    if not file.exists():
        raise DataError(f"{file} is missing: the published ratios are in the repository, not in the package.")
    with open(file, encoding="utf-8", newline="") as opened:
        return {line["ratio"]: line["published"] for line in csv.DictReader(opened)}


def table(found: dict[str, str]) -> str:
    """Both side by side, as text."""
    rows = [f"{'ratio':32}{'published':56}measured"]
    return "\n".join(rows + [f"{name:32}{value:56}{found[name]}" for name, value in published().items()])
