"""GIFT with a teacher for each kind of prompt: of our own making, from the search for a better GIFT."""

import torch
from jaxtyping import Int64
from torch import Tensor

from gift_lib import losses
from gift_lib.methods.base import register
from gift_lib.methods.gift import Gift, Pair
from gift_lib.methods.teacher import Teacher, as_teacher
from gift_lib.pictures import SyntheticSet
from gift_lib.pool import ClassPool, concepts_of
from gift_lib.tasks import Task, TensorImages


@register("two-teachers", "GIFT, two teachers")
class TwoTeachers(Gift):
    """GIFT, but an earlier model teaches general concepts, and the last one what tasks have taught.

    The last model has drifted on concepts and passes its drift on as if it were knowledge; the initial one has never
    seen the tasks' classes. So row i of CD's teacher (picture i against all texts) and column i (prompt i against all
    pictures) are those of the model that answers for prompt i. `initial` is the weight of the initial model in the one
    that answers for concepts: 0 is GIFT.
    """

    options = {**Gift.options, "initial": 1.0}

    def before_task(self, task: Task, synthetic: SyntheticSet | None) -> None:
        super().before_task(task, synthetic)
        with as_teacher(self, self.option["initial"]):
            self.early = Teacher.of(self.clip, TensorImages(self.pictures), self.prompt_tokens, self.resources)
        pool = ClassPool(concepts_of(self.experiment), source="concepts", template=self.experiment.prompt_template)
        concepts, device = set(pool.prompts), self.resources.device
        self.general = torch.tensor([p in concepts for p in synthetic.prompts], device=device)

    def distance(self, which: Int64[Tensor, " m"], teacher: Pair, M: losses.Matrix) -> losses.Scalar:
        early = self.early.images[which], self.early.texts[self.prompt_of[which]]
        last, first = (losses.similarity(*pair, self.scale) for pair in (teacher, early))
        general, T = self.general[which], self.experiment.temperature
        rows, columns = torch.where(general[:, None], first, last), torch.where(general[None, :], first, last)
        return losses.kd_rows(rows, M, T) + losses.kd_columns(columns, M, T)
