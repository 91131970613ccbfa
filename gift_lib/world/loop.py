"""One training loop for the models of the scale model: deterministic per seed, resumable at any step."""

import dataclasses
import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from tqdm import tqdm

from gift_lib.checkpoint import seal
from gift_lib.errors import ConfigError, DataError, NumericsError
from gift_lib.files import atomic_write, digest
from gift_lib.world.muon import Muon, is_hidden

#: `loss(step, generator)` gives the loss of one step; every random draw comes from the generator.
Loss = Callable[[int, torch.Generator], Tensor]


@dataclass(frozen=True)
class Plan:
    """What decides a training run besides its data: counts, learning rate, seed."""

    name: str
    steps: int
    batch: int
    lr: float
    #: Learning rate of Muon for the matrices inside the network; 0 leaves all weights to AdamW.
    muon_lr: float = 0.0
    warmup: float = 0.05
    weight_decay: float = 0.0
    betas: tuple[float, float] = (0.9, 0.99)
    clip_norm: float = 1.0
    #: Decay of the running mean of the weights; 0 keeps none.
    ema: float = 0.0
    seed: int = 0
    #: Length of the window that the reported loss is a mean over.
    window: int = 50
    #: A step after which the (mean) weights are kept as well; 0 for none.
    keep_at: int = 0

    def share_at(self, step: int) -> float:
        """Share of the learning rates at a step (from 0): linear warm-up, then a cosine to 0."""
        warm = max(1, round(self.warmup * self.steps))
        if step < warm:
            return (step + 1) / warm
        return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, self.steps - warm)))

    def generator(self, step: int) -> torch.Generator:
        """The only source of randomness of a step: it depends on the name, the seed and the step alone."""
        number = int(digest([self.name, self.seed, step], 15), 16)
        return torch.Generator().manual_seed(number)


@dataclass
class State:
    """Where a run stands. `losses` are means over windows of `plan.window` steps."""

    step: int = 0
    seconds: float = 0.0
    losses: list[float] = dataclasses.field(default_factory=list)
    partial: float = 0.0


class Run:
    """The training of one module under a plan, with its state in one safetensors file.

    `model` holds every weight that learns. The file is written every `save_every` seconds and at
    the end; a second `Run` over the same folder goes on there and ends with the same weights.
    """

    def __init__(self, plan: Plan, model: nn.Module, folder: str | Path, device: str = "cpu", save_every: float = 60.0):
        if plan.steps < 1 or plan.batch < 1:
            raise ConfigError(f"{plan.name}: steps and batch must be at least 1, not {plan.steps} and {plan.batch}.")
        self.plan, self.model, self.save_every = plan, model.to(device), save_every
        self.file = Path(folder) / f"{plan.name}-{digest(dataclasses.asdict(plan), 8)}.safetensors"
        self.weights = {n: p for n, p in model.named_parameters() if p.requires_grad}
        self.mean = {n: p.detach().clone() for n, p in self.weights.items()} if plan.ema else {}
        self.kept: dict[str, Tensor] = {}
        self.optimisers = _optimisers(self.weights, plan)
        self.state = State()

    def fit(self, loss: Loss, stop_at: int | None = None, quiet: bool = False) -> State:
        """Train to the plan's end (or to `stop_at` steps), from the saved state where there is one."""
        self.load()
        self.model.train()
        end = min(stop_at or self.plan.steps, self.plan.steps)
        bar = tqdm(total=self.plan.steps, initial=self.state.step, desc=self.plan.name, disable=quiet, mininterval=5)
        began = saved = time.monotonic()
        while self.state.step < end:
            value = self._step(loss)
            now = time.monotonic()
            self.state.seconds += now - began
            began = now
            bar.set_postfix(loss=f"{value:.4f}", refresh=False)
            bar.update()
            if now - saved > self.save_every or self.state.step == end:
                self.save()
                saved = now
        bar.close()
        return self.state

    def _step(self, loss: Loss) -> float:
        plan, state = self.plan, self.state
        for optimiser, rate in zip(self.optimisers, (plan.lr, plan.muon_lr), strict=False):
            for group in optimiser.param_groups:
                group["lr"] = rate * plan.share_at(state.step)
        value = loss(state.step, plan.generator(state.step))
        if not torch.isfinite(value):
            raise NumericsError(
                f"{plan.name}: the loss is {value.item()} at step {state.step}; lower the learning rate."
            )
        self.model.zero_grad(set_to_none=True)
        value.backward()
        nn.utils.clip_grad_norm_(list(self.weights.values()), plan.clip_norm)
        for optimiser in self.optimisers:
            optimiser.step()
        state.step += 1
        self._average()
        state.partial += value.item() / plan.window
        if state.step % plan.window == 0:
            state.losses.append(round(state.partial, 6))
            state.partial = 0.0
        if state.step == plan.keep_at:
            self.kept = {n: p.clone() for n, p in self.best().items()}
        return value.item()

    @torch.no_grad()
    def _average(self) -> None:
        """Running mean of the weights; its decay grows from 0 so that the first steps are forgotten."""
        if self.mean:
            decay = min(self.plan.ema, self.state.step / (self.state.step + 10))
            torch._foreach_lerp_(list(self.mean.values()), list(self.weights.values()), 1 - decay)

    def best(self) -> dict[str, Tensor]:
        """The weights to keep: the running mean where there is one, else the last ones."""
        return self.mean or {n: p.detach() for n, p in self.weights.items()}

    @torch.no_grad()
    def apply(self, weights: dict[str, Tensor] | None = None) -> nn.Module:
        """Put `best()` (or the given weights) into the model and return it in eval mode."""
        for name, value in (weights or self.best()).items():
            self.weights[name].copy_(value)
        return self.model.cpu().eval()

    def save(self) -> None:
        """Write weights, optimiser, running mean and state, all of it or nothing."""
        tensors = {f"weight/{n}": p.detach() for n, p in self.weights.items()}
        for name, p in self.weights.items():
            tensors |= {f"optimiser/{k}/{name}": v for o in self.optimisers for k, v in o.state.get(p, {}).items()}
        tensors |= {f"mean/{n}": p for n, p in self.mean.items()}
        tensors |= {f"kept/{n}": p for n, p in self.kept.items()}
        meta = {"state": json.dumps(dataclasses.asdict(self.state)), "plan": json.dumps(dataclasses.asdict(self.plan))}
        tensors = {k: v.cpu().contiguous().clone() for k, v in tensors.items()}
        with atomic_write(self.file) as temporary:
            save_file(tensors, temporary, metadata={**meta, "seal": seal(tensors, meta)})

    @torch.no_grad()
    def load(self) -> bool:
        """Go on from the saved state, if there is one; a DataError where the file does not fit."""
        if not self.file.exists():
            return False
        try:
            with safe_open(self.file, "pt") as file:
                tensors = {k: file.get_tensor(k) for k in file.keys()}  # noqa: SIM118 (not a dict)
                said = check_seal(tensors, file.metadata(), {"state", "plan"})
            if said["plan"] != json.dumps(dataclasses.asdict(self.plan)):
                raise ValueError("it follows another plan")
            self.state = State(**json.loads(said["state"]))
            for name, p in self.weights.items():
                p.copy_(tensors[f"weight/{name}"])
                self._restore_optimiser(name, p, tensors)
            self.mean = {n: tensors[f"mean/{n}"].to(p.device) for n, p in self.mean.items()}
            self.kept = {k[5:]: v for k, v in tensors.items() if k.startswith("kept/")}
        except Exception as error:
            raise DataError(f"{self.file} is not a state of this run ({error}). Delete it and start again.") from error
        return True

    def _restore_optimiser(self, name: str, p: nn.Parameter, tensors: dict[str, Tensor]) -> None:
        for optimiser in self.optimisers:
            if any(p is q for group in optimiser.param_groups for q in group["params"]):
                keys = ("momentum",) if isinstance(optimiser, Muon) else ("step", "exp_avg", "exp_avg_sq")
                found = {k: tensors[f"optimiser/{k}/{name}"] for k in keys}
                optimiser.state[p] = {k: v if k == "step" else v.to(p.device) for k, v in found.items()}


def check_seal(tensors: dict[str, Tensor], metadata: dict[str, str], names: set[str]) -> dict[str, str]:
    """What a header says under these names; ValueError where its seal does not fit. Older files have no seal."""
    said = {k: v for k, v in metadata.items() if k != "seal"}
    if said.keys() != names or ("seal" in metadata and metadata["seal"] != seal(tensors, said)):
        raise ValueError("its seal does not fit")
    return said


def _optimisers(weights: dict[str, nn.Parameter], plan: Plan) -> list[torch.optim.Optimizer]:
    """AdamW, and Muon beside it for the inner matrices where the plan gives it a learning rate."""
    inner = [p for n, p in weights.items() if plan.muon_lr and is_hidden(n, p)]
    taken = set(map(id, inner))
    rest = {n: p for n, p in weights.items() if id(p) not in taken}
    adam = torch.optim.AdamW(_decay_groups(rest, plan.weight_decay), lr=plan.lr, betas=plan.betas, foreach=True)
    return [adam, Muon(inner, plan.muon_lr)] if inner else [adam]


def _decay_groups(weights: dict[str, nn.Parameter], decay: float) -> list[dict]:
    """Weight decay for matrices only: gains, biases and the logit scale are left free."""
    matrices = [p for p in weights.values() if p.ndim >= 2]
    others = [p for p in weights.values() if p.ndim < 2]
    groups = [{"params": matrices, "weight_decay": decay}, {"params": others, "weight_decay": 0.0}]
    return [g for g in groups if g["params"]]
