"""KeepLoRA: low-rank steps inside attention, in directions that neither finished tasks nor pre-training need."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gift_lib.data.cache import train_view
from gift_lib.errors import ConfigError
from gift_lib.methods import layer_inputs
from gift_lib.methods.base import Batch, Method, Shuffle, register, seeded
from gift_lib.pictures import SyntheticSet
from gift_lib.tasks import Task

#: Singular values below this share of the largest one are rounding: their directions are not used.
NEGLIGIBLE = 1e-6


@dataclass(eq=False)
class Slot:
    """One of the matrices q, k, v, o of a block: some rows of a weight W [out, in], and what adapts it."""

    weight: nn.Parameter
    rows: slice
    #: Orthonormal columns: the input directions that stay as they are.
    U: Float[Tensor, "i k"]
    #: While a task is learned: the two factors, and W without them.
    A: Float[Tensor, "i r"] | None = None
    B: nn.Parameter | None = None
    base: Float[Tensor, "o i"] | None = None

    @property
    def W(self) -> Float[Tensor, "o i"]:
        """The matrix as it stands."""
        return self.weight.detach()[self.rows]


@register("keeplora", "KeepLoRA")
class KeepLoRA(Method):
    """CE alone, on W + scale (A B)^T in every q, k, v, o of both towers; after a task it is merged into W.

    A row x of inputs meets W as x W^T, so the directions to keep lie on the INPUT side: U holds orthonormal columns
    of length in, and the columns of A are the first `rank` left singular vectors of (I - U U^T) G^T, where G [out, in]
    is the mean gradient of CE on the new task. An input in the span of U then meets the same function after the
    task as before: x (A B) = 0.

    Published is a start from B_0 = Sigma V^t, with scale A B_0 first subtracted from W. Only B - B_0 then reaches the
    function, its gradient does not depend on B_0 and neither do Adam's steps, so B here starts from zero: the
    same path without the subtraction's rounding (the tests take both). U begins with the input directions of the
    pre-trained W and grows by those of each task's own inputs.
    """

    options = {
        "rank": 16,
        "scale": 1 / 16,
        "image_energy": 0.85,
        "text_energy": 0.2,
        "feature_energy": 0.99,
        "lr": 1e-3,
    }
    #: mini: `lr` by the validation accuracy of tasks learned alone on world 2 (`world choose --world 2`).
    presets = {"mini": {"lr": 0.2}}

    def __init__(self, *args):
        self.slots: dict[str, Slot] = {}
        super().__init__(*args)
        o = self.option
        energies = (o["image_energy"], o["text_energy"], o["feature_energy"])
        if o["rank"] < 1 or not all(0 <= e <= 1 for e in energies) or not (o["scale"] > 0 and o["lr"] > 0):
            raise ConfigError("keeplora needs a rank of 1 or more, energies in [0, 1], scale and lr above zero.")
        self.slots = self._slots()

    def _slots(self) -> dict[str, Slot]:
        """All matrices of both towers, each with the principal input directions of its pre-trained weights."""
        found = {}
        towers = {"visual.transformer": self.option["image_energy"], "transformer": self.option["text_energy"]}
        for tower, energy in towers.items():
            for k, block in enumerate(self.model.get_submodule(tower).resblocks):
                name, attn = f"{tower}.resblocks.{k}.attn", block.attn
                if not isinstance(attn, nn.MultiheadAttention) or attn.in_proj_weight is None:
                    raise ConfigError(f"keeplora fits open_clip's own attention, not {type(attn).__name__}.")
                w = attn.embed_dim
                for n, letter in enumerate("qkv"):
                    rows = slice(n * w, (n + 1) * w)
                    found[f"{name}.in_proj_weight.{letter}"] = Slot(
                        attn.in_proj_weight, rows, _input_side(attn.in_proj_weight[rows], energy)
                    )
                found[f"{name}.out_proj.weight.o"] = Slot(
                    attn.out_proj.weight, slice(None), _input_side(attn.out_proj.weight, energy)
                )
        return found

    def parameters(self) -> dict[str, nn.Parameter]:
        """B of every matrix, while a task is learned."""
        return {f"{name}.B": s.B for name, s in self.slots.items() if s.B is not None}

    def learning_rate(self, task: Task) -> float:
        return self.option["lr"]

    def before_task(self, task: Task, synthetic: SyntheticSet | None) -> None:
        """Find A from the task's mean gradient; from now on gradients of W become gradients of B."""
        super().before_task(task, synthetic)
        weights = {id(s.weight) for s in self.slots.values()}
        for p in self.model.parameters():
            p.requires_grad_(id(p) in weights)
        self._mean_gradient(task)
        for s in self.slots.values():
            s.A = free_directions(s.weight.grad[s.rows], s.U, self.option["rank"])
            s.B = nn.Parameter(torch.zeros(s.A.shape[1], len(s.W), device=s.A.device))
            s.base = s.W.clone()
        self._hooks = [w.register_post_accumulate_grad_hook(self._to_B) for w in self._weights()]
        for w in self._weights():
            w.grad = None

    def _weights(self) -> list[nn.Parameter]:
        return list({id(s.weight): s.weight for s in self.slots.values()}.values())

    def _mean_gradient(self, task: Task) -> None:
        """Leave G, the mean over one epoch's batches (as many as the task has steps, at most), in W's `.grad`."""
        e, device = self.experiment, self.resources.device
        draw = Shuffle(len(task.train), e.batch_size, partial(seeded, e.seed, self.task_index, "gradient"))
        n = min(draw.per_epoch, self.steps(task))
        none, up = torch.empty(0, dtype=torch.int64), 1024.0 if e.precision == "fp16" else 1.0
        self.model.zero_grad(set_to_none=True)
        self.model.train()
        for step in range(n):
            index, crop = draw(step), seeded(e.seed, self.task_index, "gradient crop", step)
            x = train_view(task.train.images, index, self.clip.preprocess, crop, device)
            with self.clip.autocast():
                loss = self.loss(Batch(step, x, task.train.labels[index].to(device), none))["ce"]
            (loss * (up / n)).backward()
        for w in self._weights():
            w.grad /= up

    @torch.no_grad()
    def _to_B(self, weight: nn.Parameter) -> None:
        """Chain rule: the gradient of B is scale A^T G^T, for every matrix that lies in a weight."""
        for s in self.slots.values():
            if s.weight is weight:
                g = self.option["scale"] * (weight.grad[s.rows] @ s.A).T
                s.B.grad = g if s.B.grad is None else s.B.grad + g
        weight.grad = None

    @torch.no_grad()
    def after_step(self, step: int) -> None:
        """W <- base + scale (A B)^T."""
        for s in self.slots.values():
            s.W.copy_(s.base + self.option["scale"] * (s.A @ s.B).T)

    @torch.no_grad()
    def after_task(self, task: Task) -> None:
        """The change is in W already; let U grow by the directions of the task's own inputs."""
        for hook in self._hooks:
            hook.remove()
        self.model.requires_grad_(True)
        for s in self.slots.values():
            s.A = s.B = s.base = None
        grams: dict[str, Tensor] = {}
        wanted = ("attn.in_proj_weight", "attn.out_proj.weight")
        for inputs in layer_inputs.of_all(self.model, task.train.images, self.clip.preprocess, self.resources):
            layer_inputs.gram(inputs, grams, wanted)
        for tokens in self.class_tokens.split(self.resources.chunk):
            layer_inputs.gram(layer_inputs.of_texts(self.model, tokens), grams, wanted)
        for name, s in self.slots.items():
            s.U = grown(s.U, grams[name.rsplit(".", 1)[0]], self.option["feature_energy"])

    def state(self) -> dict[str, Tensor]:
        """U of every matrix, and B while a task is learned."""
        return {f"U/{n}": s.U for n, s in self.slots.items()} | {f"B/{n}": p for n, p in self.parameters().items()}

    @torch.no_grad()
    def load_state(self, state: Mapping[str, Tensor]) -> None:
        for name, s in self.slots.items():
            if f"U/{name}" in state:
                s.U = state[f"U/{name}"].to(s.weight.device, copy=True)
        for name, p in self.parameters().items():
            if f"B/{name}" in state:
                p.copy_(state[f"B/{name}"])


def free_directions(G: Float[Tensor, "o i"], U: Float[Tensor, "i k"], rank: int) -> Float[Tensor, "i r"]:
    """A: the first left singular vectors of (I - U U^T) G^T; zero where the gradient has no more free directions."""
    U, Gt = U.double(), G.double().T
    left, sigma, _ = torch.linalg.svd(Gt - U @ (U.T @ Gt), full_matrices=False)
    A = left[:, :rank] * (sigma[:rank] > NEGLIGIBLE * Gt.norm())
    return (A - U @ (U.T @ A)).float()


def grown(U: Float[Tensor, "i k"], gram: Float[Tensor, "i i"], energy: float) -> Float[Tensor, "i l"]:
    """U and the fewest principal directions of what it leaves of X^T X, so that both hold `energy` of its trace."""
    U = U.double()
    P = torch.eye(len(U), dtype=U.dtype, device=U.device) - U @ U.T
    rest = P @ gram @ P
    values, vectors = torch.linalg.eigh((rest + rest.T) / 2)
    values, vectors = values.flip(0).clamp(min=0), vectors.flip(1)
    rounding = NEGLIGIBLE**2 * float(gram.trace())
    lacking = float(values.sum()) - (1 - energy) * float(gram.trace()) - rounding
    count = int((values.cumsum(0) < lacking).sum()) + 1 if lacking > 0 else 0
    return torch.cat([U, vectors[:, : min(count, len(U) - U.shape[1])]], dim=1).float()


def _input_side(W: Float[Tensor, "o i"], energy: float) -> Float[Tensor, "i k"]:
    """The principal input directions of a matrix: right singular vectors that hold a share of its squared norm."""
    gram = W.detach().double().T @ W.detach().double()
    return grown(gram.new_zeros(len(gram), 0), gram, energy)
