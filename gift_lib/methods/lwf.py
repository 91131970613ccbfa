"""LwF: the previous model's answers on the current task's own pictures."""

from gift_lib.methods.base import register
from gift_lib.methods.reference import ReferenceDistillation
from gift_lib.pictures import SyntheticSet
from gift_lib.tasks import Task


@register("lwf", "LwF")
class LwF(ReferenceDistillation):
    """Reference pictures: the task's training split (evaluation transform, a draw of its own).

    Reference texts: the task's classes. Teacher: the model after the previous task.
    """

    def before_task(self, task: Task, synthetic: SyntheticSet | None) -> None:
        super().before_task(task, synthetic)
        self.reference = self.on_own_pictures(task, self.class_tokens)
