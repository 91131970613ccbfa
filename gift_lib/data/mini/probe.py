"""How much of a task a linear classifier on raw pixels solves: the world must not be a toy."""

import torch

from gift_lib.data.mini.families import FAMILIES
from gift_lib.data.mini.splits import tasks
from gift_lib.tasks import Split, Task, all_indices


def _pixels(split: Split):
    return split.images.batch(all_indices(len(split))).flatten(1).double() / 255 - 0.5


def linear_accuracy(task: Task, ridge: float = 300.0) -> float:
    """Test accuracy in percent of ridge regression from pixels to one-hot labels, fitted on the training split."""
    x, t = _pixels(task.train), _pixels(task.test)
    mean = x.mean(0)
    targets = torch.nn.functional.one_hot(task.train.labels).double()
    centred = x - mean
    gram = centred @ centred.T + ridge * torch.eye(len(x), dtype=x.dtype)
    scores = (t - mean) @ (centred.T @ torch.linalg.solve(gram, targets - targets.mean(0)))
    return 100 * (scores.argmax(1) == task.test.labels).double().mean().item()


def linear_table(cache_dir=None) -> dict[str, float]:
    """The probe's accuracy of every task, in percent: the best of three strengths, in the probe's favour."""
    by_name = tasks(cache_dir)
    return {f.name: max(linear_accuracy(by_name[f.name], r) for r in (30.0, 300.0, 3000.0)) for f in FAMILIES}
