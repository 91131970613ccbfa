"""WiSE-FT: after each task, a step back towards the weights before it."""

import torch

from gift_lib.consolidation import interpolate
from gift_lib.methods.base import Method, register
from gift_lib.pictures import SyntheticSet
from gift_lib.tasks import Task


@register("wise-ft", "WiSE-FT")
class WiseFT(Method):
    """theta_t <- weight theta_t + (1 - weight) theta_{t-1} after each task, as run on MTIL with weight 0.8."""

    options = {"weight": 0.8}

    def before_task(self, task: Task, synthetic: SyntheticSet | None) -> None:
        super().before_task(task, synthetic)
        self.theta_prev = {name: p.detach().clone() for name, p in self.parameters().items()}

    @torch.no_grad()
    def after_task(self, task: Task) -> None:
        parameters = self.parameters()
        mixed = interpolate(parameters, self.theta_prev, self.option["weight"])
        for name, p in parameters.items():
            p.copy_(mixed[name])
        self.theta_prev = {}
