"""l2 baseline: fine-tuning tied to the weights of the previous task."""

from gift_lib import consolidation
from gift_lib.methods.base import Method, register
from gift_lib.pictures import SyntheticSet
from gift_lib.tasks import Task


@register("l2", "l2 baseline")
class L2(Method):
    """L = CE + w sum (theta - theta_prev)^2, published with w = 1 (`consolidation_weight`)."""

    def before_task(self, task: Task, synthetic: SyntheticSet | None) -> None:
        super().before_task(task, synthetic)
        self.penalty = consolidation.build("l2")
        self.penalty.anchor(self.parameters())
