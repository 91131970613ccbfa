"""Teachers: a frozen former self, and its outputs on data that does not change within a task."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from gift_lib.clip import Clip, encode_images, encode_texts
from gift_lib.methods.base import Method, Resources
from gift_lib.tasks import Images, all_indices


@dataclass(frozen=True)
class Teacher:
    """A teacher's L2-normalised outputs: one row per picture, one per distinct text."""

    images: Float[Tensor, "n d"]
    texts: Float[Tensor, "k d"]

    @classmethod
    def of(cls, clip: Clip, images: Images, tokens: Int64[Tensor, "k l"], resources: Resources) -> "Teacher":
        """Run the model as it stands over all pictures (evaluation transform) and all texts, in chunks."""
        return cls(embed_images(clip, images, resources), embed_texts(clip, tokens, resources.chunk))


@torch.no_grad()
def embed_images(clip: Clip, images: Images, resources: Resources) -> Float[Tensor, "n d"]:
    """L2-normalised embeddings of all pictures, `resources.chunk` at a time."""
    with clip.autocast():
        rows = [
            encode_images(clip.model, clip.preprocess.eval(images.batch(index).to(resources.device)))
            for index in all_indices(len(images)).split(resources.chunk)
        ]
    return torch.cat(rows)


@torch.no_grad()
def embed_texts(clip: Clip, tokens: Int64[Tensor, "k l"], chunk: int = 256) -> Float[Tensor, "k d"]:
    """L2-normalised embeddings of all texts, `chunk` at a time."""
    with clip.autocast():
        return torch.cat([encode_texts(clip.model, part) for part in tokens.split(chunk)])


@contextmanager
def borrowed(parameters: Mapping[str, nn.Parameter], weights: Mapping[str, Tensor]) -> Iterator[None]:
    """Within: these weights stand in the parameters of the same names. Nothing is copied; do not train meanwhile."""
    kept = {name: p.data for name, p in parameters.items()}
    for name, p in parameters.items():
        p.data = weights[name]
    try:
        yield
    finally:
        for name, p in parameters.items():
            p.data = kept[name]


@contextmanager
def as_teacher(method: Method, initial_weight: float = 0.0) -> Iterator[None]:
    """Within: the model's weights are initial_weight * initial + (1 - initial_weight) * current, in eval mode.

    0 leaves the weights alone: the model *is* its former self until the first step of the task.
    """
    parameters = method.parameters()
    kept = {k: p.detach().clone() for k, p in parameters.items()} if initial_weight else {}
    with torch.no_grad():
        for k in kept:
            parameters[k].mul_(1 - initial_weight).add_(method.initial[k], alpha=initial_weight)
    try:
        yield
    finally:
        with torch.no_grad():
            for k, v in kept.items():
                parameters[k].copy_(v)
