"""Muon (Jordan et al. 2024): momentum whose update is orthogonalised, for the matrices inside a network.

On these small transformers and UNets it needs about a third of AdamW's steps, which is what makes training
on two cores feasible. torch's own Muon takes matrices only; here convolutions count as matrices too.
"""

from collections import defaultdict
from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor, nn


def orthogonalise(g: Float[Tensor, "k m n"], steps: int = 4) -> Float[Tensor, "k m n"]:
    """Each matrix with its singular values brought near 1, by a quintic Newton-Schulz iteration."""
    a, b, c = 3.4445, -4.7750, 2.0315
    tall = g.shape[-2] > g.shape[-1]
    x = g.mT if tall else g
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(steps):
        s = x @ x.mT
        x = a * x + (b * s + c * s @ s) @ x
    return x.mT if tall else x


class Muon(torch.optim.Optimizer):
    """Nesterov momentum, orthogonalised, scaled by sqrt(max(1, rows / columns))."""

    def __init__(self, params: Iterable[nn.Parameter], lr: float, momentum: float = 0.95):
        super().__init__(list(params), {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self) -> None:
        """One update of every parameter that has a gradient; equal shapes are treated together."""
        for group in self.param_groups:
            by_shape = defaultdict(list)
            for p in group["params"]:
                if p.grad is not None:
                    by_shape[p.flatten(1).shape].append(p)
            for (rows, columns), members in by_shape.items():
                update = orthogonalise(torch.stack([self._direction(p, group["momentum"]) for p in members]))
                rate = group["lr"] * max(1, rows / columns) ** 0.5
                for p, u in zip(members, update, strict=True):
                    p.sub_(u.view(p.shape), alpha=rate)

    def _direction(self, p: nn.Parameter, momentum: float) -> Float[Tensor, "m n"]:
        state = self.state[p]
        if not state:
            state["momentum"] = torch.zeros_like(p)
        state["momentum"].lerp_(p.grad, 1 - momentum)
        return p.grad.lerp(state["momentum"], momentum).flatten(1)


def is_hidden(name: str, p: nn.Parameter) -> bool:
    """Whether a weight is a matrix (or convolution) inside a network: no embedding, no first or last layer."""
    outside = ("embedding", "conv_in", "conv_out", "conv1", "proj_out", "text_projection", "visual.proj")
    return p.ndim in (2, 4) and min(p.flatten(1).shape) >= 32 and not any(o in name for o in outside)
