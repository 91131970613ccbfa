"""Accuracy of a method on every task, always through the method's own predictions."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from gift_lib.device import ahead
from gift_lib.errors import NumericsError
from gift_lib.methods import Method
from gift_lib.tasks import Split, Task, all_indices


def accuracy(method: Method, task: Task, split: Split, chunk: int = 256) -> float:
    """Top-1 accuracy in percent over a split, within the task's own classes (task identity known).

    Raises NumericsError where a logit is not finite.
    """
    return accuracies(method, task, split, [None], chunk)[0]


@torch.no_grad()
def accuracies(
    method: Method, task: Task, split: Split, among: Sequence[Sequence[Task] | None], chunk: int = 256
) -> list[float]:
    """Top-1 accuracy in percent over a split for each set of candidates, from one look at each picture.

    None stands for the task's own classes, its identity known; several tasks for all of their classes (the task's
    own among them), with nothing said about which task a picture is of.
    """
    right, indices = [0] * len(among), all_indices(len(split)).split(chunk)
    for index, pixels in zip(indices, ahead(split.images.batch, indices, method.resources.device), strict=True):
        pixels = pixels.to(method.resources.device)
        with method.looking_at(pixels):
            for k, tasks in enumerate(among):
                logits = method.predict(task, pixels) if tasks is None else method.predict_among(tasks, pixels)
                if not torch.isfinite(logits).all():
                    raise NumericsError(f"logits on {task.name} are not finite: lower the learning rate or use fp32.")
                first = 0 if tasks is None else _first_class(task, tasks)
                right[k] += int((logits.argmax(dim=1).cpu() - first == split.labels[index]).sum())
    return [100.0 * r / len(split) for r in right]


def _first_class(task: Task, tasks: Sequence[Task]) -> int:
    """Where the task's classes begin among those of several tasks."""
    names = [t.name for t in tasks]
    return sum(len(t.classes) for t in tasks[: names.index(task.name)])


@dataclass(frozen=True)
class Row:
    """What one evaluation says of every task, in percent, in the tasks' order.

    `own`: within the task's own classes, its identity known: a row of R. `every`: among the classes of all tasks;
    `learned`: among those of the tasks learned so far, None for a task that is not one of them. The last two
    know nothing of a picture's task.
    """

    own: list[float]
    every: list[float]
    learned: list[float | None]


def evaluate(method: Method, tasks: Sequence[Task], split: str = "test") -> list[float]:
    """One row of R: the accuracy in percent on every task, in their order."""
    _begin(method, tasks)
    return [accuracy(method, t, getattr(t, split), method.resources.chunk) for t in tasks]


def evaluate_openly(method: Method, tasks: Sequence[Task], learned: Sequence[Task]) -> Row:
    """A row of R with what the method says where nobody tells it the task; `learned` are the tasks learned so far."""
    _begin(method, tasks)
    known, every, own, among = [t.name for t in learned], [], [], []
    for t in tasks:
        asked = [None, tasks] + ([learned] if t.name in known and len(learned) < len(tasks) else [])
        found = accuracies(method, t, t.test, asked, method.resources.chunk)
        own.append(found[0])
        every.append(found[1])
        among.append(found[-1] if t.name in known else None)
    return Row(own, every, among)


def _begin(method: Method, tasks: Sequence[Task]) -> None:
    method.forget_classifiers()
    method.model.eval()
    method.evaluated = tuple(tasks)
