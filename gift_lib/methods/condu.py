"""ConDU-FT: a model for each task, kept as one unified change of the weights and a mask of one bit per weight."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor

from gift_lib import clip as clips
from gift_lib.errors import ConfigError
from gift_lib.methods.base import Method, register
from gift_lib.methods.teacher import borrowed, embed_images
from gift_lib.pictures import SyntheticSet
from gift_lib.tasks import Task

#: In the place of an expert: the pre-trained model.
INITIAL = -1


def unify(deltas: Float[Tensor, "n *shape"]) -> tuple[Float[Tensor, "*shape"], Bool[Tensor, "n *shape"]]:  # noqa: F821
    """The unified change of one tensor and each task's mask of it (EMR-Merging).

    s = sign(mean_i delta_i); M_i = 1[delta_i s > 0]; delta_u = s max_i |M_i delta_i|: of the changes that agree with
    the mean's sign the largest.
    """
    s = deltas.mean(dim=0).sign()
    M = deltas * s > 0
    return s * (deltas.abs() * M).amax(dim=0), M


@register("condu", "ConDU-FT")
class ConDU(Method):
    """Each task is fine-tuned from theta_0; after it all changes are unified anew, from their decoupled forms.

    delta^_i = r_i M_i delta_u stands for task i. A picture of a task that is learned and known is answered by
    theta_0 + delta^_i; any other by the mean logits of theta_0 and of the at most `experts` tasks whose class
    prototypes are nearest to it, where a prototype is the normalised mean of a class's mean image and its text.
    """

    options = {"experts": 4}

    def __init__(self, *args):
        super().__init__(*args)
        if self.option["experts"] < 1:
            raise ConfigError(f"experts must be at least 1, not {self.option['experts']!r}: published are 4.")
        self.unified: dict[str, Tensor] = {}
        #: Of each task learned, in order: its masks as packed bits, r_i, its class prototypes.
        self.masks: list[dict[str, Tensor]] = []
        self.ratios: list[float] = []
        self.prototypes: dict[str, Tensor] = {}

    @property
    def learned(self) -> list[str]:
        """Names of the tasks that have an expert, in the order of learning."""
        return list(self.prototypes)[: len(self.masks)]

    @torch.no_grad()
    def before_task(self, task: Task, synthetic: SyntheticSet | None) -> None:
        super().before_task(task, synthetic)
        for name, p in self.parameters().items():
            p.copy_(self.initial[name])
        self.prototypes[task.name] = prototypes(self, task)

    @torch.no_grad()
    def after_task(self, task: Task) -> None:
        """Unify this task's change with the decoupled ones of the tasks before, tensor by tensor."""
        n = len(self.masks) + 1
        masks: list[dict[str, Tensor]] = [{} for _ in range(n)]
        own, shared = [0.0] * n, [0.0] * n
        for name, p in self.parameters().items():
            deltas = torch.stack([*(self.decoupled(i, name) for i in range(n - 1)), p - self.initial[name]])
            self.unified[name], M = unify(deltas)
            for i in range(n):
                masks[i][name] = packed(M[i])
                own[i] += float(deltas[i].abs().mean())
                shared[i] += float((M[i] * self.unified[name]).abs().mean())
        self.masks = masks
        self.ratios = [a / b if b else 0.0 for a, b in zip(own, shared, strict=True)]

    def decoupled(self, i: int, name: str) -> Tensor:
        """delta^_i = r_i M_i delta_u of one tensor."""
        unified = self.unified[name]
        return self.ratios[i] * unpacked(self.masks[i][name], unified.shape) * unified

    @contextmanager
    def weights_of(self, expert: int) -> Iterator[None]:
        """Within: the weights are theta_0 + delta^ of a task, or theta_0 for INITIAL."""
        start = self.initial
        moved = start if expert == INITIAL else {n: t + self.decoupled(expert, n) for n, t in start.items()}
        with borrowed(self.parameters(), moved):
            yield

    def predict(self, task: Task, pixels: UInt8[Tensor, "b 3 h w"]) -> Float[Tensor, "b c"]:
        """A learned task through its own expert, another one as if nothing were known of the pictures."""
        if task.name not in self.learned:
            return self.predict_among([task], pixels)
        expert, everyone = self.learned.index(task.name), torch.arange(len(pixels), device=pixels.device)
        return self._logits(expert, [task], pixels, everyone)

    def predict_among(self, tasks: Sequence[Task], pixels: UInt8[Tensor, "b 3 h w"]) -> Float[Tensor, "b c"]:
        """Mean logits of theta_0 and of the experts whose prototypes are nearest, picture by picture."""
        everyone = torch.arange(len(pixels), device=pixels.device)
        total = self._logits(INITIAL, tasks, pixels, everyone)
        if not self.learned:
            return total
        nearest = self.nearest(self._embedded(INITIAL, pixels, everyone))
        for expert in nearest.unique().tolist():
            here = (nearest == expert).any(dim=1).nonzero()[:, 0]
            total[here] += self._logits(expert, tasks, pixels, here)
        return total / (1 + nearest.shape[1])

    def nearest(self, images: Float[Tensor, "b d"]) -> Int64[Tensor, "b k"]:
        """The tasks learned with the nearest class prototype, nearest first: four of them, or all if they are fewer."""
        best = [(images @ self.prototypes[name].T).amax(dim=1) for name in self.learned]
        return torch.stack(best, dim=1).topk(min(self.option["experts"], len(best)), dim=1).indices

    def _logits(self, expert: int, tasks: Sequence[Task], pixels: Tensor, here: Tensor) -> Float[Tensor, "k c"]:
        texts = torch.cat([self._texts(expert, t) for t in tasks])
        return self._embedded(expert, pixels, here) @ texts.T

    def _texts(self, expert: int, task: Task) -> Float[Tensor, "c d"]:
        key = f"{expert} {task.name}"
        if key not in self._classifiers:
            with self.weights_of(expert):
                self._classifiers[key] = clips.classifier(self.clip, task)
        return self._classifiers[key]

    def _embedded(self, expert: int, pixels: Tensor, here: Int64[Tensor, " k"]) -> Float[Tensor, "k d"]:
        """Embeddings of the pictures at `here` under an expert's weights, each computed once while looking at them."""
        rows: dict[int, Tensor] = self.once(("expert", expert), pixels, dict)
        need = [i for i in here.tolist() if i not in rows]
        if need:
            with self.weights_of(expert):
                rows.update(zip(need, self._embed(pixels[need]), strict=True))
        return torch.stack([rows[i] for i in here.tolist()])

    def state(self) -> dict[str, Tensor]:
        state = {f"unified/{n}": t for n, t in self.unified.items()}
        state |= {f"prototypes/{k}/{n}": t for k, (n, t) in enumerate(self.prototypes.items())}
        for i, (masks, r) in enumerate(zip(self.masks, self.ratios, strict=True)):
            state |= {f"mask/{i}/{n}": bits for n, bits in masks.items()}
            state[f"ratio/{i}"] = torch.tensor(r, dtype=torch.float64)
        return state

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        device, groups = self.resources.device, {}
        for key, tensor in state.items():
            group, name = key.split("/", 1)
            groups.setdefault(group, {})[name] = tensor.to(device, copy=True)
        self.unified = groups.get("unified", {})
        ordered = sorted(
            (int(k.split("/", 1)[0]), k.split("/", 1)[1], t) for k, t in groups.get("prototypes", {}).items()
        )
        self.prototypes = {name: t for _, name, t in ordered}
        self.ratios = [float(groups["ratio"][str(i)]) for i in range(len(groups.get("ratio", {})))]
        masks = groups.get("mask", {})
        self.masks = [{n: masks[f"{i}/{n}"] for n in self.unified} for i in range(len(self.ratios))]


def prototypes(method: Method, task: Task) -> Float[Tensor, "c d"]:
    """A row per class under the model as it stands: the normalised mean of its mean image embedding and its text."""
    texts = clips.classifier(method.clip, task)
    images = embed_images(method.clip, task.train.images, method.resources)
    labels = F.one_hot(task.train.labels.to(images.device), len(task.classes)).to(images)
    means = labels.T @ images / labels.sum(dim=0).clamp(min=1)[:, None]
    return F.normalize((means + texts) / 2, dim=1)


def packed(mask: Bool[Tensor, "*shape"]) -> UInt8[Tensor, " k"]:
    """Eight entries in a byte."""
    bits = F.pad(mask.flatten().byte(), (0, -mask.numel() % 8)).view(-1, 8)
    return (bits << _places(mask.device)).sum(dim=1, dtype=torch.uint8)


def unpacked(bits: UInt8[Tensor, " k"], shape: Sequence[int]) -> Bool[Tensor, "*shape"]:
    """The reverse of `packed`."""
    flat = (bits[:, None] >> _places(bits.device)) & 1
    return flat.flatten()[: math.prod(shape)].view(shape).bool()


def _places(device: torch.device) -> UInt8[Tensor, " 8"]:
    return torch.arange(8, dtype=torch.uint8, device=device)
