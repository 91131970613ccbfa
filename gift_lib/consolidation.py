"""Keeping weights near theta_prev: AWC, plain l2, a static Fisher, and averages of weights.

Every penalty is P(theta) = sum_i F_i (theta_i - theta_prev_i)^2 with F a constant of the step, so its
gradient 2 F (theta - theta_prev) is known in closed form: it is added to `.grad` and no graph is built.
The order of a step is::

    (alpha CD + beta ITA).backward();  penalty.update(params);  CE.backward();  penalty.add_gradient(params, w)
"""

import math
from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from gift_lib.errors import ConfigError, nearest

Params = Mapping[str, torch.nn.Parameter]
Scalar = Float[Tensor, ""]


class Penalty:
    """P(theta) = sum F (theta - theta_prev)^2 over the weights given by name; F = 1 until a subclass sets it.

    logit_scale is neither trained nor penalised: the caller leaves it out of `params`.
    """

    def __init__(self):
        self.theta_prev: dict[str, Tensor] = {}
        self.F: dict[str, Tensor] = {}

    @torch.no_grad()
    def anchor(self, params: Params) -> None:
        """Start a task: remember theta_prev, forget F."""
        self.theta_prev = {name: p.detach().clone() for name, p in params.items()}
        self.F = {}

    def update(self, params: Params, unscale: float = 1.0) -> None:
        """Read what `.grad` holds: the gradient of the batch mean of alpha CD + beta ITA, times 1 / unscale."""

    @torch.no_grad()
    def add_gradient(self, params: Params, weight: float = 1.0) -> None:
        """Add the gradient of weight * P, which is 2 weight F (theta - theta_prev), to `.grad` in place.

        A weight that neither a loss nor the penalty moves keeps its None: the optimiser lets it rest.
        """
        self._check(params)
        if not weight:
            return
        pulls = zip(params.values(), self._weighted(params), strict=True)
        moved = [(p, pull) for p, pull in pulls if p.grad is not None or bool(pull.any())]
        for p, _ in moved:
            p.grad = torch.zeros_like(p) if p.grad is None else p.grad
        if moved:
            torch._foreach_add_([p.grad for p, _ in moved], [pull for _, pull in moved], alpha=2 * weight)

    @torch.no_grad()
    def value(self, params: Params) -> Scalar:
        """P(theta), for the log."""
        self._check(params)
        difference = torch._foreach_sub(list(params.values()), list(self.theta_prev.values()))
        terms = torch._foreach_mul(difference, self._weighted(params))
        return torch.stack([t.sum() for t in terms]).sum()

    def state(self) -> dict[str, Tensor]:
        """What `anchor` at the start of the task does not bring back: a resumed run loads it after `anchor`."""
        return {}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """The reverse of `state`."""

    def _weighted(self, params: Params) -> Sequence[Tensor]:
        """F (theta - theta_prev); F = 1 where a penalty has none."""
        difference = torch._foreach_sub(list(params.values()), list(self.theta_prev.values()))
        if self.F:
            torch._foreach_mul_(difference, list(self.F.values()))
        return difference

    def _check(self, params: Params) -> None:
        if list(params) != list(self.theta_prev):
            raise ConfigError(
                f"the penalty is anchored at {len(self.theta_prev)} weights but was given {len(params)} (or others): "
                "call anchor(params) with the same weights at the start of each task."
            )


class L2(Penalty):
    """F = 1: the plain l2 penalty of the ablation and of ZSCL."""


class AWC(Penalty):
    """Adaptive weight consolidation: F = g^2 of this very step, no running average (slides, page 8).

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
        self.F = dict(zip(params, _squares(_gradients(params), self.normalise, unscale), strict=True))


class StaticFisher(Penalty):
    """An EWC-like penalty: F is the mean of AWC's over the first steps of the task, and then stays.

    Until then it is the mean over the steps so far, so that every step has a penalty.
    """

    def __init__(self, first_steps: int, normalise: bool = True):
        if first_steps < 1:
            raise ConfigError(f"first_steps must be at least 1, not {first_steps!r}.")
        super().__init__()
        self.first_steps, self.normalise, self.seen = first_steps, normalise, 0

    def anchor(self, params: Params) -> None:
        super().anchor(params)
        self.seen = 0

    @torch.no_grad()
    def update(self, params: Params, unscale: float = 1.0) -> None:
        self._check(params)
        if self.seen >= self.first_steps:
            return
        gradients = _gradients(params)
        if unscale != 1.0 and not all(g.isfinite().all() for g in gradients):  # fp16: the scaler skips this step too
            return
        new = _squares(gradients, self.normalise, unscale)
        self.seen += 1
        if self.seen == 1:
            self.F = dict(zip(params, new, strict=True))
        else:
            torch._foreach_lerp_(list(self.F.values()), new, 1 / self.seen)

    def state(self) -> dict[str, Tensor]:
        return {"fisher_seen": torch.tensor(self.seen), **{f"fisher/{name}": t for name, t in self.F.items()}}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        self.seen = int(state["fisher_seen"])
        self.F = {n: state[f"fisher/{n}"].to(t, copy=True) for n, t in self.theta_prev.items()} if self.seen else {}


def build(kind: str, normalise: bool = True, first_steps: int = 1) -> Penalty | None:
    """The penalty that `Experiment.consolidation` names: "awc", "l2", "fisher" (over `first_steps`) or "none"."""
    makers = {
        "awc": lambda: AWC(normalise),
        "l2": L2,
        "fisher": lambda: StaticFisher(first_steps, normalise),
        "none": lambda: None,
    }
    if kind not in makers:
        raise ConfigError(f"consolidation cannot be {kind!r}; {nearest(str(kind), makers)}")
    return makers[kind]()


def _gradients(params: Params) -> list[Tensor]:
    """`.grad` of each weight, zeros for one that no loss reached (whose own `.grad` stays None)."""
    return [torch.zeros_like(p) if p.grad is None else p.grad for p in params.values()]


def _squares(g: Sequence[Tensor], normalise: bool, unscale: float) -> Sequence[Tensor]:
    """(unscale g)^2, or g^2 / mean(g^2) per tensor; a zero tensor stays zero. What is given stays as it is."""
    if normalise:  # (g / rms)^2 needs no unscale: it cancels
        norms = torch.stack(torch._foreach_norm(g))
        roots = torch.tensor([math.sqrt(t.numel()) for t in g], device=norms.device, dtype=norms.dtype)
        rms = torch.where(norms > 0, norms / roots, torch.inf)  # g / inf = 0
        scaled = torch._foreach_div(g, rms.unbind())
    else:
        scaled = torch._foreach_mul(g, unscale)
    torch._foreach_mul_(scaled, scaled)
    return scaled


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
        self.mean = {name: p.detach().clone() for name, p in params.items()}
        self.count = 1

    @torch.no_grad()
    def add(self, params: Params) -> None:
        """mean <- mean + (theta - mean) / count."""
        self.count += 1
        torch._foreach_lerp_(list(self.mean.values()), list(params.values()), 1 / self.count)

    @torch.no_grad()
    def copy_to(self, params: Params) -> None:
        """theta <- mean."""
        torch._foreach_copy_(list(params.values()), list(self.mean.values()))

    def state(self) -> dict[str, Tensor]:
        """What a resumed run needs."""
        return {"mean_count": torch.tensor(self.count), **{f"mean/{name}": t for name, t in self.mean.items()}}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """The reverse of `state`."""
        self.count = int(state["mean_count"])
        self.mean = {n: state[f"mean/{n}"].to(t, copy=True) for n, t in self.mean.items()}
