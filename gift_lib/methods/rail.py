"""RAIL, primal form: a ridge regression on random features of a frozen CLIP, learned recursively without old data."""

from collections.abc import Mapping, Sequence
from functools import partial

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64, Num, UInt8
from torch import Tensor, nn

from gift_lib import losses
from gift_lib.clip import encode_images
from gift_lib.data.cache import train_view
from gift_lib.errors import ConfigError, nearest
from gift_lib.methods.base import Method, Shuffle, register, seeded
from gift_lib.pictures import SyntheticSet
from gift_lib.tasks import Task

#: Which names the decision between regression and zero-shot looks at.
DECISIONS = ("candidates", "all")


class Ridge:
    """w = (Phi^T Phi + lambda I)^-1 Phi^T Y over all rows ever seen, without keeping them.

    R = (Phi^T Phi + lambda I)^-1 is updated by the Woodbury identity, in float64: thousands of updates add up.
    """

    def __init__(self, features: int, ridge: float, device: torch.device):
        self.R = torch.eye(features, dtype=torch.float64, device=device) / ridge
        self.w = torch.zeros(features, 0, dtype=torch.float64, device=device)

    def grow(self, classes: int) -> None:
        """Columns for new classes: zero, as the targets of all earlier rows are."""
        self.w = F.pad(self.w, (0, classes))

    def learn(self, Phi: Float[Tensor, "b h"], Y: Num[Tensor, "b c"]) -> None:
        """R <- R - K Phi R and w <- w + K (Y - Phi w) with the gain K = R Phi^T (I + Phi R Phi^T)^-1.

        K is R_new Phi^T, so that this is w + R_new Phi^T (Y - Phi w) without a product by all of R.
        """
        Phi, Y = Phi.double(), Y.double()
        RP = self.R @ Phi.T
        inner = torch.eye(len(Phi), dtype=Phi.dtype, device=Phi.device) + Phi @ RP
        K = torch.linalg.solve(inner, RP.T).T  # inner is symmetric
        self.R.addmm_(K, RP.T, alpha=-1)
        self.w += K @ (Y - Phi @ self.w)


@register("rail", "RAIL")
class RAIL(Method):
    """Phi = relu(x W) of a picture's embedding x, W random; one pass over each task's training crops.

    A picture whose zero-shot answer lies among the learned classes is classified by `weight` times the regression
    plus (1 - weight) times the zero-shot probabilities, any other by zero-shot alone: what is not learned is
    answered as by the pre-trained model. `decision` says which names that zero-shot answer is sought among:
    "candidates" takes those that the picture is to be classified among; "all" is published, and takes the names of
    all tasks of the evaluation, those of future ones too, even where a picture's task is known.
    """

    trains = False
    options = {"hidden": 15_000, "ridge": 0.1, "weight": 0.8, "decision": "candidates"}
    #: mini: as many for each dimension of an embedding as 15,000 for 512. colab: fewer pictures, less memory.
    presets = {"mini": {"hidden": 2812}, "colab": {"hidden": 5000}}

    def __init__(self, *args):
        super().__init__(*args)
        if self.option["decision"] not in DECISIONS:
            raise ConfigError(f"decision cannot be {self.option['decision']!r}; "
                              f"{nearest(self.option['decision'], DECISIONS)}")  # fmt: skip
        if self.option["hidden"] < 1 or self.option["ridge"] <= 0 or not 0 <= self.option["weight"] <= 1:
            raise ConfigError("rail needs hidden of 1 or more, ridge above zero and weight in [0, 1].")
        self.ridge: Ridge | None = None
        #: The columns of w that belong to each task learned.
        self.learned: dict[str, range] = {}
        self._W: Tensor | None = None

    def parameters(self) -> dict[str, nn.Parameter]:
        """Nothing has a gradient."""
        return {}

    def before_task(self, task: Task, synthetic: SyntheticSet | None) -> None:
        """Learn the task: all of it happens here, in one pass without gradients."""
        super().before_task(task, synthetic)
        if self.ridge is None:
            self.ridge = Ridge(self.option["hidden"], self.option["ridge"], self.resources.device)
        first, e = self.ridge.w.shape[1], self.experiment
        self.ridge.grow(len(task.classes))
        self.model.eval()
        draw = Shuffle(len(task.train), e.batch_size, partial(seeded, e.seed, self.task_index, "real"))
        for step in range(draw.per_epoch):
            index = draw(step)
            labels = first + task.train.labels[index].to(self.resources.device)
            self.ridge.learn(self.features(self.crops(task, index, step)), F.one_hot(labels, self.ridge.w.shape[1]))
        self.learned[task.name] = range(first, first + len(task.classes))

    @torch.no_grad()
    def crops(self, task: Task, index: Int64[Tensor, " b"], step: int) -> Float[Tensor, "b d"]:
        """Embeddings of training crops of some of the task's pictures."""
        crop = seeded(self.experiment.seed, self.task_index, "crop", step)
        x = train_view(task.train.images, index, self.clip.preprocess, crop, self.resources.device)
        with self.clip.autocast():
            return encode_images(self.model, x)

    def features(self, images: Float[Tensor, "b d"]) -> Float[Tensor, "b h"]:
        """Phi = relu(x W); W uniform within 1 / sqrt(d), as torch fills a linear layer (the published choice)."""
        if self._W is None:
            d, generator = images.shape[1], seeded(self.experiment.seed, -1, "features")
            W = (2 * torch.rand(d, self.option["hidden"], generator=generator) - 1) / d**0.5
            self._W = W.to(images.device)
        return (images @ self._W).relu()

    def predict(self, task: Task, pixels: UInt8[Tensor, "b 3 h w"]) -> Float[Tensor, "b c"]:
        return self.predict_among([task], pixels)

    def predict_among(self, tasks: Sequence[Task], pixels: UInt8[Tensor, "b 3 h w"]) -> Float[Tensor, "b c"]:
        """Fused or zero-shot probabilities of the classes of some tasks, picture by picture."""
        zero = self._zero_shot(tasks, pixels)
        if not any(t.name in self.learned for t in tasks):
            return zero
        fused = self.option["weight"] * self._regression(tasks, pixels) + (1 - self.option["weight"]) * zero
        return torch.where(self._is_learned(tasks, zero, pixels)[:, None], fused, zero)

    def _zero_shot(self, tasks: Sequence[Task], pixels: Tensor) -> Float[Tensor, "b c"]:
        texts = torch.cat([self.classifier(t) for t in tasks])
        return losses.similarity(self.embed(pixels), texts, self.scale).softmax(dim=1)

    def _regression(self, tasks: Sequence[Task], pixels: Tensor) -> Float[Tensor, "b c"]:
        """Phi w in the columns of learned classes, zero in the others."""
        found = self.once("regression", pixels, lambda: self.features(self.embed(pixels)).double() @ self.ridge.w)
        none = found.new_zeros
        parts = [
            found[:, self.learned[t.name]] if t.name in self.learned else none(len(pixels), len(t.classes))
            for t in tasks
        ]
        return torch.cat(parts, dim=1).float()

    def _is_learned(self, tasks: Sequence[Task], zero: Tensor, pixels: Tensor) -> Bool[Tensor, " b"]:
        """Whether a picture's zero-shot answer is a learned class, among the names that `decision` says."""
        if self.option["decision"] == "all" and self.evaluated:
            tasks = self.evaluated
            zero = self.once("zero-shot among all", pixels, lambda: self._zero_shot(tasks, pixels))
        known = torch.tensor([t.name in self.learned for t in tasks for _ in t.classes], device=zero.device)
        return known[zero.argmax(dim=1)]

    def state(self) -> dict[str, Tensor]:
        if self.ridge is None:
            return {}
        columns = {f"learned/{n}": torch.tensor([c.start, c.stop]) for n, c in self.learned.items()}
        return {"R": self.ridge.R, "w": self.ridge.w} | columns

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        if not state:
            return
        device = self.resources.device
        self.ridge = Ridge(1, self.option["ridge"], device)
        self.ridge.R, self.ridge.w = (state[n].to(device, copy=True) for n in ("R", "w"))
        columns = {k.removeprefix("learned/"): v.tolist() for k, v in state.items() if k.startswith("learned/")}
        self.learned = {n: range(*c) for n, c in columns.items()}
