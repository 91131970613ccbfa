"""Variants of GIFT of our own making, one from each idea of the search for a better one (`runs/choosing.py`)."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor

from gift_lib import losses
from gift_lib.clip import encode_images, encode_texts
from gift_lib.methods.base import Batch, Shuffle, Terms, register, seeded
from gift_lib.methods.gift import Gift, Pair
from gift_lib.methods.gnsp import Projected
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


@register("all-prompts", "GIFT, all prompts")
class AllPrompts(Gift):
    """GIFT, but each picture is compared with the prompts of the whole synthetic set, not of its batch alone.

    Most prompts of a batch are of other tasks and easily told from a picture's own. The names that it is really
    mistaken for, those of its own task, are seldom in the same batch: here they always are.
    """

    def preserve(self, batch: Batch) -> Terms:
        e, which = self.experiment, batch.synthetic.to(self.resources.device)
        images = encode_images(self.model, self.clip.preprocess.eval(self.pictures[which]))
        M = losses.similarity(images, encode_texts(self.model, self.prompt_tokens), self.scale)
        M_teacher = losses.similarity(self.teacher.images[which], self.teacher.texts, self.scale)
        cd = losses.contrastive_distillation(M_teacher, M, e.temperature)
        return {"cd": e.alpha * cd, "ita": e.beta * aligned(M, self.prompt_of[which], e.label_smoothing)}


def aligned(M: losses.Matrix, own: Int64[Tensor, " n"], label_smoothing: float = 0.2) -> losses.Scalar:
    """ITA of pictures (rows of M) against more prompts than their own: `own` is the column of each picture's prompt.

    Rows are over all prompts; columns, over the pictures, are of the prompts that have any.
    """
    distinct, place = torch.unique(own, return_inverse=True)
    equal = F.one_hot(place, len(distinct)).T.to(M.dtype)
    targets = (1 - label_smoothing) * equal / equal.sum(dim=1, keepdim=True) + label_smoothing / len(own)
    rows = losses.cross_entropy(M, own, label_smoothing)
    return rows + F.cross_entropy(M.T[distinct], targets)


@register("neighbours", "GIFT, batches of neighbours")
class Neighbours(Gift):
    """GIFT, but a synthetic batch holds pictures whose prompts are alike: what can be mistaken stands together.

    An epoch goes through all pictures once, as GIFT's does, in batches of the same size (`Alike`).
    """

    def before_task(self, task: Task, synthetic: SyntheticSet | None) -> None:
        super().before_task(task, synthetic)
        texts, e = self.teacher.texts[self.prompt_of], self.experiment
        stream = partial(seeded, e.seed, self.task_index, "neighbours")
        self.alike = Alike(len(texts), e.synthetic_batch_size, stream, (texts @ texts.T).cpu())

    def preserve(self, batch: Batch) -> Terms:
        return super().preserve(replace(batch, synthetic=self.alike(batch.step)))


class Alike(Shuffle):
    """Epochs whose batches hold a picture drawn at random and those most like it of what the epoch has left."""

    def __init__(self, n: int, size: int, generator: Callable[..., torch.Generator], likeness: Float[Tensor, "n n"]):
        super().__init__(n, size, generator)
        self.likeness = likeness

    def _epoch(self, epoch: int) -> Int64[Tensor, " n"]:
        left, order = super()._epoch(epoch), []
        while len(left):
            near = self.likeness[left[0], left].argsort(descending=True, stable=True)[: self.size]
            order.append(left[near])
            left = left[torch.ones(len(left), dtype=torch.bool).index_fill_(0, near, False)]
        return torch.cat(order)


@register("projected-gift", "GIFT, projected")
class ProjectedGift(Projected, Gift):
    """GIFT, but its steps leave what finished tasks read as it is, as GNSP's do.

    Pictures, losses, teacher and penalty are GIFT's own. After the first task only the MLPs of the image tower and
    `visual.proj` are trained, so that a step is cheaper; what is kept is a matrix for each of them, no picture.
    """

    options = {**Gift.options, **Projected.options}
