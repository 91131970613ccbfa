"""Individual fine-tune: a model of its own for each task, always from the pre-trained weights."""

import torch

from gift_lib.methods.base import Method, register
from gift_lib.pictures import SyntheticSet
from gift_lib.tasks import Task


@register("upper-bound", "Individual fine-tune")
class UpperBound(Method):
    """Row t of R is the model fine-tuned on task t alone; the bound is R's diagonal."""

    form = "alone"

    @torch.no_grad()
    def before_task(self, task: Task, synthetic: SyntheticSet | None) -> None:
        super().before_task(task, synthetic)
        for name, p in self.parameters().items():
            p.copy_(self.initial[name])
