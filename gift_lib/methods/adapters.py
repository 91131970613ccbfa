"""The mixture of adapters beside each block's MLP, and the routing that all blocks share."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from open_clip.transformer import ResidualAttentionBlock
from torch import Tensor, nn

from gift_lib.clip.blocks import Layout, add_attention, add_mlp
from gift_lib.errors import ConfigError
from gift_lib.methods.base import seeded

#: Keeps the noise of the gates above zero (noisy top-k gating, Shazeer et al. 2017).
NOISE_FLOOR = 1e-2


@dataclass(eq=False)
class Routing:
    """Which task's router all blocks use (-1: none, the frozen CLIP), and where they draw noise from."""

    task: int = -1
    seed: tuple[int, int, int] = field(default=(0, 0, 0))

    def generator(self, stream: str, device: torch.device) -> torch.Generator:
        """Depends on (seed, task, step) and the stream alone, so a recomputed block draws the same again."""
        seed, task, step = self.seed
        return torch.Generator(device).manual_seed(seeded(seed, task, stream, step).initial_seed())

    @contextmanager
    def through(self, task: int) -> Iterator[None]:
        """Within: the router of a task, or the frozen CLIP for -1."""
        before, self.task = self.task, task
        try:
            yield
        finally:
            self.task = before


@dataclass(frozen=True)
class Shape:
    """Sizes of a mixture. `scale` multiplies its output."""

    experts: int
    tasks: int
    bottleneck: int = 64
    top: int = 2
    scale: float = 0.1
    dropout: float = 0.1


class Expert(nn.Module):
    """One adapter, a bottleneck with ReLU: x -> up^t relu(down x + a) + b. It starts as zero."""

    def __init__(self, width: int, bottleneck: int, generator: torch.Generator):
        super().__init__()
        bound = 1 / math.sqrt(width)
        self.down = nn.Parameter((2 * torch.rand(bottleneck, width, generator=generator) - 1) * bound)
        self.down_bias = nn.Parameter(torch.zeros(bottleneck))
        self.up = nn.Parameter(torch.zeros(bottleneck, width))
        self.up_bias = nn.Parameter(torch.zeros(width))


class Mixture(nn.Module):
    """Experts of one block, a router for each task, and how often each expert was used in the current one."""

    def __init__(self, name: str, width: int, shape: Shape, routing: Routing, generator: torch.Generator):
        super().__init__()
        self.name, self.shape, self.routing = name, shape, routing
        self.experts = nn.ModuleList(Expert(width, shape.bottleneck, generator) for _ in range(shape.experts))
        self.routers = nn.ParameterList(torch.zeros(width, shape.experts) for _ in range(shape.tasks))
        self.noises = nn.ParameterList(torch.zeros(width, shape.experts) for _ in range(shape.tasks))
        self.register_buffer("usage", torch.zeros(shape.experts, dtype=torch.int64))
        self.register_buffer("frozen", torch.zeros(shape.experts, dtype=torch.bool))

    def gate(self, first: Float[Tensor, "b w"]) -> tuple[Float[Tensor, "b k"], Int64[Tensor, "b k"]]:
        """Noisy top-k: weights and experts of each sequence, decided by its first token."""
        logits = first @ self.routers[self.routing.task]
        if self.training:
            generator = self.routing.generator(f"gate {self.name}", first.device)
            noise = torch.randn(logits.shape, generator=generator, device=first.device)
            logits = logits + noise * (F.softplus(first @ self.noises[self.routing.task]) + NOISE_FLOOR)
        top, chosen = logits.topk(self.shape.top, dim=1)
        return top.softmax(dim=1), chosen

    def forward(self, x: Float[Tensor, "b l w"]) -> Float[Tensor, "b l w"]:
        """scale * sum_k gate_k expert_k(x): only the chosen experts are computed.

        An expert that no sequence of the batch chose has no gradient (None, not zero), so that Adam's moments do
        not move it either: it rests. That is the sensible reading of a sparse mixture, and what the released code
        does on one GPU.
        """
        gates, chosen = self.gate(x[:, 0])
        if self.training:
            self.usage += torch.bincount(chosen.flatten(), minlength=self.shape.experts)
        awake, place = chosen.unique(return_inverse=True)
        experts = [self.experts[k] for k in awake.tolist()]
        down, down_bias, up, up_bias = (
            torch.stack([getattr(e, name) for e in experts])[place] for name in ("down", "down_bias", "up", "up_bias")
        )
        hidden = F.relu(x @ down.flatten(1, 2).transpose(1, 2) + down_bias.flatten(1)[:, None])
        hidden = self._drop(hidden) * gates.repeat_interleave(self.shape.bottleneck, dim=1)[:, None]
        out = hidden @ up.flatten(1, 2) + torch.einsum("bk,bkw->bw", gates.to(up_bias), up_bias)[:, None]
        return self.shape.scale * out

    def _drop(self, hidden: Float[Tensor, "b l kr"]) -> Float[Tensor, "b l kr"]:
        p = self.shape.dropout
        if not self.training or not p:
            return hidden
        generator = self.routing.generator(f"dropout {self.name}", hidden.device)
        keep = torch.rand(hidden.shape, generator=generator, device=hidden.device) >= p
        return hidden * keep / (1 - p)

    def trained(self) -> dict[str, nn.Parameter]:
        """What the current task trains: the experts that are not frozen, its router and its noise."""
        kept = {f"experts.{k}." for k in self.frozen.nonzero()[:, 0].tolist()}
        own = {f"{group}.{self.routing.task}" for group in ("routers", "noises")}
        return {
            n: p
            for n, p in self.named_parameters()
            if (n.startswith("experts.") and not n.startswith(tuple(kept))) or n in own
        }

    def freeze_used(self) -> None:
        """Activation-based freezing: the `top` experts that the task used most never change again."""
        self.frozen[self.usage.topk(self.shape.top).indices] = True


class BlockWithMixture(ResidualAttentionBlock):
    """open_clip's block with a mixture beside its MLP: x + MLP(LN(x)) + mixture(x) after the attention."""

    mixture: Mixture

    def forward(self, q_x, k_x=None, v_x=None, attn_mask=None):
        if self.mixture.routing.task < 0:
            return super().forward(q_x, k_x, v_x, attn_mask)
        tokens, layout = q_x.flatten(0, 1), Layout(*q_x.shape[:2], causal=attn_mask is not None)
        x = add_attention(self, tokens, layout)
        return add_mlp(self, x).view_as(q_x) + self.mixture(x.view_as(q_x))


def attach(model: nn.Module, shape: Shape, routing: Routing, generator: torch.Generator) -> dict[str, Mixture]:
    """Put a mixture into every block of both towers of a CLIP and freeze all that was there; mixtures by name.

    Blocks become `BlockWithMixture` in place, so that names and weights of the CLIP stay as they are.
    """
    model.requires_grad_(False)
    mixtures = {}
    towers = {"visual.transformer": model.visual.transformer, "transformer": model.transformer}
    blocks = [(f"{t}.resblocks.{k}", b) for t, tower in towers.items() for k, b in enumerate(tower.resblocks)]
    for name, block in blocks:
        if type(block) is not ResidualAttentionBlock:
            raise ConfigError(f"adapters fit open_clip's own blocks, not {type(block).__name__}: use another CLIP.")
        mixture = Mixture(name, block.ln_2.normalized_shape[0], shape, routing, generator)
        block.__class__ = BlockWithMixture
        block.mixture = mixture.to(block.ln_2.weight.device)
        mixtures[f"{name}.mixture"] = mixture
    return mixtures
