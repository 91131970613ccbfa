"""A CLIP with what belongs to it: its tokenizer, its preprocessing, its precision; and the classifier of a task."""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor, nn

from gift_lib.clip.towers import encode_texts
from gift_lib.data.transforms import Preprocess
from gift_lib.tasks import Task, fill


@dataclass(eq=False)
class Clip:
    """A CLIP with what belongs to it. `config` is open_clip's model config; `digest` names the weights."""

    model: nn.Module
    tokenize: Callable[[list[str]], Int64[Tensor, "n l"]]
    preprocess: Preprocess
    name: str
    digest: str
    config: Mapping[str, Any] = field(default_factory=dict, repr=False)
    precision: str = "fp32"

    @property
    def device(self) -> torch.device:
        return self.model.logit_scale.device

    @property
    def scale(self) -> Float[Tensor, ""]:
        """exp(logit_scale), without gradient: it is never trained."""
        return self.model.logit_scale.detach().exp().reshape(())

    def autocast(self) -> torch.autocast:
        """Mixed precision as `precision` asks for; fp32 weights and embeddings stay fp32."""
        kinds = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}
        kind = kinds[self.precision]
        return torch.autocast(self.device.type, dtype=kind or torch.bfloat16, enabled=kind is not None)

    def trained(self) -> dict[str, nn.Parameter]:
        """The weights that fine-tuning changes: all but logit_scale, by name, in the model's order."""
        return {n: p for n, p in self.model.named_parameters() if n not in ("logit_scale", "logit_bias")}

    def encode_prompts(self, prompts: list[str]) -> Float[Tensor, "n d"]:
        """L2-normalised text embeddings of prompts."""
        return encode_texts(self.model, self.tokenize(prompts))


def clone(clip: Clip) -> Clip:
    """A frozen copy in eval mode: the teacher."""
    model = copy.deepcopy(clip.model).eval().requires_grad_(False)
    model.zero_grad(set_to_none=True)
    return Clip(model, clip.tokenize, clip.preprocess, clip.name, clip.digest, clip.config, clip.precision)


def gradient_checkpointing(model: nn.Module, on: bool = True) -> None:
    """Recompute each block's activations in the backward pass: same gradients, less memory, more time."""
    model.set_grad_checkpointing(on)


@torch.no_grad()
def classifier(clip: Clip, task: Task, batch_size: int = 1024) -> Float[Tensor, "c d"]:
    """One L2-normalised row per class: the mean of the text embeddings over all templates, renormalised."""
    prompts = [fill(t, c) for c in task.classes for t in task.templates]
    tokens = clip.tokenize(prompts)
    with clip.autocast():
        texts = torch.cat([encode_texts(clip.model, part) for part in tokens.split(batch_size)])
    return F.normalize(texts.view(len(task.classes), len(task.templates), -1).mean(dim=1), dim=-1)
