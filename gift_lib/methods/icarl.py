"""iCaRL: distillation on a small memory of exemplars of past tasks."""

from collections.abc import Mapping

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from gift_lib.config import wise_weight
from gift_lib.errors import ConfigError
from gift_lib.methods.base import Method, register
from gift_lib.methods.reference import Reference, ReferenceDistillation
from gift_lib.methods.stores import Concatenated
from gift_lib.methods.teacher import embed_images
from gift_lib.pictures import SyntheticSet
from gift_lib.tasks import Task, TensorImages


@register("icarl", "iCaRL")
class ICaRL(ReferenceDistillation):
    """Reference pictures: exemplars of past tasks, without labels; texts: the current task's classes.

    As run on MTIL the teacher is the pre-trained model and exemplars are herded on the mean of the
    whole data set; `herding="class"` herds each class on its own mean, as the iCaRL paper does.
    After task t every past task keeps its first memory // t exemplars and the new one takes the rest,
    so that the memory never holds more than `memory` pictures. The first task has CE alone.
    """

    options = {"memory": 10_000, "herding": "dataset", "teacher": "initial"}
    #: As 10,000 to MTIL's 319,352 training pictures, of the small world's and of the three Colab data sets'.
    presets = {"mini": {"memory": 370}, "colab": {"memory": 840}}

    def __init__(self, *args):
        super().__init__(*args)
        if self.option["herding"] not in HERDING or self.option["memory"] < 1:
            raise ConfigError(f"icarl needs a memory of 1 or more and herding by {' or '.join(HERDING)}.")
        self.teacher_weight = wise_weight(self.option["teacher"])
        self.exemplars: list[Tensor] = []

    def before_task(self, task: Task, synthetic: SyntheticSet | None) -> None:
        super().before_task(task, synthetic)
        if self.exemplars:
            memory = Concatenated(tuple(map(TensorImages, self.exemplars)), self.clip.preprocess)
            self.reference = Reference.of(self, memory, self.class_tokens, self.teacher_weight)

    def after_task(self, task: Task) -> None:
        super().after_task(task)
        share = self.option["memory"] // (len(self.exemplars) + 1)
        self.exemplars = [pixels[:share].clone() for pixels in self.exemplars]
        free = self.option["memory"] - sum(map(len, self.exemplars))
        chosen = HERDING[self.option["herding"]](self, task, min(free, len(task.train)))
        self.exemplars.append(self.clip.preprocess.square(task.train.images.batch(chosen)))

    def state(self) -> dict[str, Tensor]:
        return super().state() | {f"exemplars/{k}": pixels for k, pixels in enumerate(self.exemplars)}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        super().load_state(state)
        self.exemplars = [state[f"exemplars/{k}"] for k in range(sum(n.startswith("exemplars/") for n in state))]


def by_dataset(method: Method, task: Task, m: int) -> Int64[Tensor, " m"]:
    """The first m pictures of the task's training split, herded together."""
    return herd(embed_images(method.clip, task.train.images, method.resources), m)


def by_class(method: Method, task: Task, m: int) -> Int64[Tensor, " m"]:
    """The first m after herding each class alone, the classes taking turns: any first part is balanced."""
    features = embed_images(method.clip, task.train.images, method.resources)
    ranked = []
    for c in task.train.labels.unique().tolist():
        own = (task.train.labels == c).nonzero()[:, 0]
        order = own[herd(features[own.to(features.device)], len(own))]
        ranked += [(rank, c, int(i)) for rank, i in enumerate(order)]
    return torch.tensor([i for _, _, i in sorted(ranked)[:m]], dtype=torch.int64)


HERDING = {"dataset": by_dataset, "class": by_class}


def herd(features: Float[Tensor, "n d"], m: int) -> Int64[Tensor, " m"]:
    """Indices of m rows whose mean follows the mean mu of all: greedily the one that brings it nearest.

    iCaRL, algorithm 4: the k-th is argmin ``|mu - (x + S) / k|`` with S the sum of those before it, which
    is argmin ``|x|^2 - 2 x . (k mu - S)``.
    """
    mu, squares, total = features.mean(dim=0), features.square().sum(dim=1), torch.zeros_like(features[0])
    chosen = []
    for k in range(1, m + 1):
        i = torch.argmin(squares - 2 * features @ (k * mu - total))
        chosen.append(i)
        squares[i] = torch.inf
        total = total + features[i]
    return torch.stack(chosen).cpu() if chosen else torch.empty(0, dtype=torch.int64)
