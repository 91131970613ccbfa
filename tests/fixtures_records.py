"""Records made by hand: R of a known level with a little noise, so that tests know every answer."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from gift_lib import results
from gift_lib.config import Experiment
from gift_lib.runs import sweeps

TASKS = ["a", "b", "c", "d"]
FORMS = {"joint": "joint", "upper-bound": "alone"}


def record(e: Experiment, level: float = 60.0, noise: float = 0.5, **changes) -> dict:
    """A record of an experiment whose accuracies scatter about `level`; `changes` go into run and identity."""
    rng = np.random.default_rng(e.seed + 1000 * sum(e.method.encode()))
    n = 1 if e.method == "joint" else len(TASKS)
    R = np.clip(np.full((n, len(TASKS)), level) + rng.normal(0, noise, (n, len(TASKS))), 0, 100)
    run = {"seconds": 1.0, "device": "cpu", "cpu_capability": "AVX2"}
    identity = results.identity("world", "clip", "pipeline")
    run |= {k: v for k, v in changes.items() if k in run}
    identity |= {k: v for k, v in changes.items() if k in identity}
    result = {"form": FORMS.get(e.method, "continual"), "tasks": TASKS, "R": R.tolist()}
    result |= {"zero_shot": [50.0] * len(TASKS), "losses": {}, "synthetic": []}
    return results.Address(e, identity).record(result, run)


def sweep_records(name: str, level: Callable[[str], float | None], noise: float = 0.5) -> list[dict]:
    """Records of all cells of a sweep; `level(variant)` is its accuracy, None for a variant without records."""
    cells = [(c, level(c.variant)) for c in sweeps.load(name).cells]
    return [record(c.experiment, at, noise) for c, at in cells if at is not None]


def frame(records: list[dict]) -> pd.DataFrame:
    """What `results.load_frame` gives for these records."""
    return results.load_frame(records)
