"""Weights averaged within a task: what the task leaves behind is the mean of those on its way."""

from collections.abc import Mapping

from torch import Tensor

from gift_lib.consolidation import RunningMean
from gift_lib.methods.base import Method
from gift_lib.pictures import SyntheticSet
from gift_lib.tasks import Task


class Ensembled(Method):
    """A method with ZSCL's ensemble of weights: the mean of a task's start and of `snapshots` on its way.

    Published with a snapshot every 100 of 1000 steps. `ensemble` false: the task leaves what its last step leaves.
    """

    options = {"snapshots": 10, "ensemble": True}

    ensemble: RunningMean | None = None

    def before_task(self, task: Task, synthetic: SyntheticSet | None) -> None:
        super().before_task(task, synthetic)
        self.ensemble = RunningMean(self.parameters()) if self.option["ensemble"] else None

    def after_step(self, step: int) -> None:
        super().after_step(step)
        n, steps = self.option["snapshots"], self.steps(self.task)
        if self.ensemble and step * n // steps > (step - 1) * n // steps:
            self.ensemble.add(self.parameters())

    def after_task(self, task: Task) -> None:
        super().after_task(task)
        if self.ensemble:
            self.ensemble.copy_to(self.parameters())
            self.ensemble = None

    def state(self) -> dict[str, Tensor]:
        return super().state() | (self.ensemble.state() if self.ensemble else {})

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        super().load_state(state)
        if self.ensemble:
            self.ensemble.load_state(state)
