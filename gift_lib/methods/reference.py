"""What LwF, LwF-VR, iCaRL and ZSCL share: distillation on reference pictures against the teacher's texts."""

from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from gift_lib import losses
from gift_lib.clip import encode_images
from gift_lib.methods.base import Batch, Method, Shuffle, Terms, seeded
from gift_lib.methods.stores import Subset
from gift_lib.methods.teacher import as_teacher, embed_images, embed_texts
from gift_lib.tasks import Images, Task, all_indices


@dataclass(frozen=True)
class Reference:
    """Reference pictures (in the evaluation transform) with a teacher's constant outputs on them and on k texts."""

    images: Images
    t_images: Float[Tensor, "n d"]
    t_texts: Float[Tensor, "k d"]

    @classmethod
    def of(
        cls,
        method: Method,
        images: Images,
        tokens: Int64[Tensor, "k l"],
        initial_weight: float = 0.0,
        drawn: Int64[Tensor, " b"] | None = None,
    ) -> "Reference":
        """Run the teacher (see `as_teacher`) once. `drawn`: only these pictures are needed; the other rows stay 0."""
        needed = all_indices(len(images)) if drawn is None else drawn.unique()
        with as_teacher(method, initial_weight):
            t_texts = embed_texts(method.clip, tokens, method.resources.chunk)
            rows = embed_images(method.clip, Subset(images, needed), method.resources)
        t_images = rows.new_zeros(len(images), rows.shape[1])
        t_images[needed.to(rows.device)] = rows
        return cls(images, t_images, t_texts)


class ReferenceDistillation(Method):
    """L = CE + T^2 soft cross-entropy over rows plus over columns of M = scale * images x TEACHER texts.

    As run on MTIL by ZSCL's authors: T = 2, weight 1 each, the teacher's text embeddings on both sides,
    so that only the image tower learns from the second term. Subclasses set `reference` in `before_task`;
    without one there is CE alone.
    """

    reference: Reference | None = None

    def draw(self, n: int) -> Shuffle:
        """The method's own draw, step by step, among `n` reference pictures."""
        e = self.experiment
        return Shuffle(n, e.batch_size, partial(seeded, e.seed, self.task_index, "reference"))

    def on_own_pictures(self, task: Task, tokens: Int64[Tensor, "k l"]) -> Reference:
        """The task's training pictures and some texts, through the model as it stands."""
        draw = self.draw(len(task.train))
        drawn = torch.cat([draw(step) for step in range(self.steps(task))])
        return Reference.of(self, task.train.images, tokens, drawn=drawn)

    def preserve(self, batch: Batch) -> Terms:
        return {"kd": self.distil(batch.step)} if self.reference else {}

    def distil(self, step: int) -> Float[Tensor, ""]:
        """The distillation on the reference pictures of a step."""
        r, device = self.reference, self.resources.device
        which = self.draw(len(r.images))(step)
        images = encode_images(self.model, self.clip.preprocess.eval(r.images.batch(which).to(device)))
        M_teacher = losses.similarity(r.t_images[which.to(device)], r.t_texts, self.scale)
        M_student = losses.similarity(images, r.t_texts, self.scale)
        return losses.soft_cross_entropy(M_teacher, M_student, self.experiment.temperature)

    def after_task(self, task: Task) -> None:
        self.reference = None
