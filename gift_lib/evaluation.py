"""Accuracy of a method on every task, always through the method's own `predict`."""

from collections.abc import Sequence

import torch

from gift_lib.device import ahead
from gift_lib.errors import NumericsError
from gift_lib.methods import Method
from gift_lib.tasks import Split, Task, all_indices


@torch.no_grad()
def accuracy(method: Method, task: Task, split: Split, chunk: int = 256) -> float:
    """Top-1 accuracy in percent over a split, within the task's own classes (task identity known).

    Raises NumericsError where a logit is not finite.
    """
    right, indices = 0, all_indices(len(split)).split(chunk)
    for index, pixels in zip(indices, ahead(split.images.batch, indices, method.resources.device), strict=True):
        logits = method.predict(task, pixels.to(method.resources.device))
        if not torch.isfinite(logits).all():
            raise NumericsError(f"logits on {task.name} are not finite: lower the learning rate or use fp32.")
        right += int((logits.argmax(dim=1).cpu() == split.labels[index]).sum())
    return 100.0 * right / len(split)


def evaluate(method: Method, tasks: Sequence[Task], split: str = "test") -> list[float]:
    """One row of R: the accuracy in percent on every task, in their order."""
    method.forget_classifiers()
    method.model.eval()
    return [accuracy(method, t, getattr(t, split), method.resources.chunk) for t in tasks]
