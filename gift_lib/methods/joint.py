"""Joint training: all tasks at once, what a learner without a sequence reaches."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from gift_lib import losses
from gift_lib.clip import encode_images, encode_texts
from gift_lib.data.transforms import Preprocess
from gift_lib.methods.base import Batch, Method, Terms, register
from gift_lib.methods.stores import Concatenated
from gift_lib.pictures import SyntheticSet
from gift_lib.tasks import Split, Task


@dataclass(frozen=True)
class Union(Task):
    """Several tasks as one: classes one after the other, each with its own task's template."""

    parts: tuple[Task, ...] = ()

    @classmethod
    def of(cls, tasks: Sequence[Task], preprocess: Preprocess) -> "Union":
        def open_split(name: str) -> Split:
            splits = [getattr(t, name) for t in tasks]
            first = torch.tensor([0, *(len(t.classes) for t in tasks)]).cumsum(0)
            labels = torch.cat([s.labels + k for s, k in zip(splits, first[:-1], strict=True)])
            return Split(Concatenated(tuple(s.images for s in splits), preprocess), labels)

        classes = tuple(c for t in tasks for c in t.classes)
        return cls("all tasks", classes, tasks[0].templates, open_split, parts=tuple(tasks))

    def prompts(self, template: str | None = None) -> list[str]:
        return [p for t in self.parts for p in t.prompts(template)]

    @property
    def same(self) -> Bool[Tensor, "c c"]:
        """Whether two classes belong to one task."""
        part = torch.repeat_interleave(torch.tensor([len(t.classes) for t in self.parts]))
        return part[:, None] == part[None, :]


@register("joint", "Joint training")
class Joint(Method):
    """CE on batches drawn from all tasks together, each picture among the classes of its own task.

    A reference, not a continual method: it sees all data from the start. It takes as many steps in
    all as a sequence does, under one learning-rate schedule; R has this one row.
    """

    form = "joint"

    def phases(self, tasks: Sequence[Task]) -> Sequence[Task]:
        return [Union.of(tasks, self.clip.preprocess)]

    def steps(self, task: Union) -> int:
        return self.experiment.steps * len(task.parts)

    def before_task(self, task: Union, synthetic: SyntheticSet | None) -> None:
        super().before_task(task, synthetic)
        self.same = task.same.to(self.resources.device)

    def loss(self, batch: Batch) -> Terms:
        images = encode_images(self.model, batch.images)
        logits = losses.similarity(images, encode_texts(self.model, self.class_tokens), self.scale)
        return {"ce": within(logits, batch.labels, self.same, self.experiment.label_smoothing)}


def within(
    logits: Float[Tensor, "b c"], labels: Int64[Tensor, " b"], same: Bool[Tensor, "c c"], label_smoothing: float
) -> Float[Tensor, ""]:
    """CE with label smoothing where each row knows only the classes of its own task."""
    own = same[labels]
    target = label_smoothing * own / own.sum(dim=1, keepdim=True)
    target.scatter_add_(1, labels[:, None], torch.full_like(target[:, :1], 1 - label_smoothing))
    return F.cross_entropy(logits.masked_fill(~own, torch.finfo(logits.dtype).min), target)
