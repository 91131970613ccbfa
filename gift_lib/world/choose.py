"""Choose learning rate and steps by the validation accuracy of tasks fine-tuned alone: no two methods are compared."""

import itertools
from collections.abc import Sequence

import numpy as np
from tqdm import tqdm

from gift_lib import methods
from gift_lib.config import experiment
from gift_lib.data import load_tasks
from gift_lib.evaluation import accuracy
from gift_lib.tasks import Task
from gift_lib.training import Progress, Runtime, build_method, fit, numerics
from gift_lib.world.settings import RUNS

#: Seeds for choosing; no record has them.
SEEDS = (1000,)


def choose(
    lrs: Sequence[float],
    steps: Sequence[int],
    method: str = "finetune",
    tasks: Sequence[Task] = (),
    world: str = "1",
) -> list[dict[str, float]]:
    """Mean validation accuracy in percent over a world's tasks (all by default) for every lr and number of steps."""
    tasks = tasks or load_tasks(experiment(**RUNS[world]))
    rows = []
    for lr, n in tqdm(list(itertools.product(lrs, steps)), desc=f"choose {method}"):
        values = [alone(method, task, lr, n, seed, world) for seed in SEEDS for task in tasks]
        rows.append({"lr": lr, "steps": n, "mean": float(np.mean(values))})
    return rows


def alone(name: str, task: Task, lr: float, steps: int, seed: int, world: str = "1") -> float:
    """Validation accuracy in percent on one task that the method learns from the pre-trained model, by the one loop."""
    # A method with an lr of its own has its own; one with a selector is told the task, as its lr is to be judged.
    options = {k: v for k, v in {"lr": lr, "route": "task"}.items() if k in methods.find(name).options}
    own = {"method": name, "lr": lr, "lr_per_task": {}, "steps": steps, "seed": seed, "method_options": options}
    e = experiment(**RUNS[world] | own)
    runtime = Runtime(progress=False)
    with numerics(runtime.device):
        method = build_method(e, runtime, task_count=1)
        fit(method, 0, task, None, runtime, Progress(), save=lambda **_: None)
        method.model.eval()
        return accuracy(method, task, task.val)
