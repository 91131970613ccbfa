"""Keeping weights near theta_prev: AWC, plain l2, a static Fisher, and averages of weights.

Every penalty is R(theta) = sum_i F_i (theta_i - theta_prev_i)^2 with F a constant of the step, so its
gradient 2 F (theta - theta_prev) is known in closed form: it is added to `.grad` and no graph is built.
The order of a step is
    (alpha CD + beta ITA).backward();  penalty.update(params);  CE.backward();  penalty.add_gradient(params, w)
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from gift_lib.errors import ConfigError

Params = Sequence[torch.nn.Parameter]
Scalar = Float[Tensor, ""]


class Penalty(ABC):
    """R(theta) = sum F (theta - theta_prev)^2. Subclasses say what F is. logit_scale is left to the caller."""

    def __init__(self):
        self.theta_prev: list[Tensor] = []
        self.F: list[Tensor] = []

    @torch.no_grad()
    def anchor(self, params: Iterable[torch.nn.Parameter]) -> None:
        """Start a task: remember theta_prev, forget F."""
        self.theta_prev = [p.detach().clone() for p in params]
        self.F = []

    @abstractmethod
    def update(self, params: Params, unscale: float = 1.0) -> None:
        """Read what `.grad` holds: the gradient of the batch mean of alpha CD + beta ITA, times 1 / unscale."""

    @torch.no_grad()
    def add_gradient(self, params: Params, weight: float = 1.0) -> None:
        """Add the gradient of weight * R, 2 weight F (theta - theta_prev), to `.grad` in place."""
        self._check(params)
        if weight == 0:
            return
        difference = torch._foreach_sub(list(params), self.theta_prev)
        if self.F:
            torch._foreach_mul_(difference, self.F)
        torch._foreach_add_(_gradients(params), difference, alpha=2 * weight)

    @torch.no_grad()
    def value(self, params: Params) -> Scalar:
        """R(theta), for the log."""
        self._check(params)
        difference = torch._foreach_sub(list(params), self.theta_prev)
        terms = torch._foreach_mul(difference, difference)
        if self.F:
            torch._foreach_mul_(terms, self.F)
        return torch.stack([t.sum() for t in terms]).sum()

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs, as tensors and numbers."""
        return {"theta_prev": list(self.theta_prev), "F": list(self.F)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from `state_dict()`."""
        self.theta_prev, self.F = list(state["theta_prev"]), list(state["F"])

    def _check(self, params: Params) -> None:
        if [p.shape for p in params] != [t.shape for t in self.theta_prev]:
            raise ConfigError(
                f"the penalty is anchored at {len(self.theta_prev)} weights but was given {len(params)} (or others): "
                "call anchor(params) with the same weights at the start of each task."
            )


class L2(Penalty):
    """F = 1: the plain l2 penalty of the ablation and of ZSCL."""

    def update(self, params: Params, unscale: float = 1.0) -> None:
        """Nothing to learn from the gradients."""


class AWC(Penalty):
    """Adaptive weight consolidation: F = g^2 of this very step, no running average (GIFT, section 3.4).

    g is the gradient of the batch mean of alpha CD + beta ITA. With `normalise` each tensor's F is
    divided by its own mean (the released code does it, the slide's formula does not): then only the
    pattern within a tensor counts, not its scale. A tensor without gradient is not held (F = 0).
    """

    def __init__(self, normalise: bool = True):
        super().__init__()
        self.normalise = normalise

    @torch.no_grad()
    def update(self, params: Params, unscale: float = 1.0) -> None:
        self._check(params)
        if not self.F:
            self.F = [torch.empty_like(t) for t in self.theta_prev]
        torch._foreach_copy_(self.F, _gradients(params))
        _square(self.F, self.normalise, unscale)


class StaticFisher(Penalty):
    """An EWC-like penalty: F is the mean of AWC's over the first steps of the task, and then stays.

    Until then it is the mean over the steps so far, so that every step has a penalty.
    """

    def __init__(self, first_steps: int, normalise: bool = True):
        if first_steps < 1:
            raise ConfigError(f"first_steps must be at least 1, not {first_steps!r}.")
        super().__init__()
        self.first_steps, self.normalise, self.seen = first_steps, normalise, 0

    def anchor(self, params: Iterable[torch.nn.Parameter]) -> None:
        super().anchor(params)
        self.seen = 0

    @torch.no_grad()
    def update(self, params: Params, unscale: float = 1.0) -> None:
        self._check(params)
        if self.seen >= self.first_steps:
            return
        new = [g.clone() for g in _gradients(params)]
        _square(new, self.normalise, unscale)
        self.seen += 1
        if not self.F:
            self.F = new
        else:
            torch._foreach_lerp_(self.F, new, 1 / self.seen)

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {"seen": self.seen}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        super().load_state_dict(state)
        self.seen = int(state["seen"])


def _gradients(params: Params) -> list[Tensor]:
    """`.grad` of each weight; a weight that no loss reached gets zeros."""
    for p in params:
        if p.grad is None:
            p.grad = torch.zeros_like(p)
    return [p.grad for p in params]


def _square(g: list[Tensor], normalise: bool, unscale: float) -> None:
    """g <- (unscale g)^2, or g^2 / mean(g^2) per tensor, in place; a zero tensor stays zero."""
    if normalise:  # (g / rms)^2 needs no unscale: it cancels
        norms = torch.stack(torch._foreach_norm(g))
        roots = torch.tensor([math.sqrt(max(t.numel(), 1)) for t in g], device=norms.device, dtype=norms.dtype)
        rms = torch.where(norms > 0, norms / roots, torch.inf)  # g / inf = 0
        torch._foreach_div_(g, list(rms.unbind()))
    elif unscale != 1.0:
        torch._foreach_mul_(g, unscale)
    torch._foreach_mul_(g, g)


@torch.no_grad()
def interpolate(a: Mapping[str, Tensor], b: Mapping[str, Tensor], weight: float) -> dict[str, Tensor]:
    """weight * a + (1 - weight) * b for two state dicts: WiSE-FT, and the teacher "wise(a)".

    Whole numbers are taken from b. Raises ConfigError for other names or shapes, or a weight not in [0, 1].
    """
    if not 0 <= weight <= 1:
        raise ConfigError(f"the weight of an interpolation must be in [0, 1], not {weight!r}.")
    if {k: v.shape for k, v in a.items()} != {k: v.shape for k, v in b.items()}:
        raise ConfigError("the two models have other weights: interpolate between models of one architecture.")
    return {k: torch.lerp(b[k], a[k], weight) if b[k].is_floating_point() else b[k].clone() for k in b}


class RunningMean:
    """The mean of weights seen so far: ZSCL's ensemble of the start weights and a snapshot every 100 steps."""

    @torch.no_grad()
    def __init__(self, params: Params):
        self.mean = [p.detach().clone() for p in params]
        self.count = 1

    @torch.no_grad()
    def add(self, params: Params) -> None:
        """mean <- mean + (theta - mean) / count."""
        self.count += 1
        torch._foreach_lerp_(self.mean, list(params), 1 / self.count)

    @torch.no_grad()
    def copy_to(self, params: Params) -> None:
        """theta <- mean."""
        torch._foreach_copy_(list(params), self.mean)

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs."""
        return {"mean": list(self.mean), "count": self.count}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from `state_dict()`."""
        self.mean, self.count = list(state["mean"]), int(state["count"])
