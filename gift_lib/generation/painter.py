"""One chunk of pictures: the same shape and arithmetic at every call, and degenerate pictures drawn again."""

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from gift_lib.device import deterministic
from gift_lib.errors import NumericsError
from gift_lib.generation.draws import seed_of
from gift_lib.generation.pipeline import Pipeline, set_scheduler
from gift_lib.pictures import Draw, PictureCache, Sampler

log = logging.getLogger(__name__)

#: Seeds tried for a picture before giving up.
TRIES = 8


class Painter:
    """A pipeline set up for one Sampler. Each distinct prompt is encoded once, the empty one too."""

    def __init__(self, pipeline: Pipeline, sampler: Sampler):
        from diffusers import StableDiffusionPipeline

        self.pipeline, self.sampler = pipeline, sampler
        self.encodes = isinstance(pipeline, StableDiffusionPipeline)
        self.embeddings: dict[str, Float[Tensor, "l d"]] = {}
        set_scheduler(pipeline, sampler.scheduler)

    def __call__(self, chunk: Sequence[Draw]) -> Float[Tensor, "b 3 h w"]:
        """At most `sampler.chunk` pictures on the CPU, values in [0, 1] (or not finite). Guidance up to 1 is off."""
        s, padded = self.sampler, self._pad(chunk)
        with numerics(), torch.inference_mode():
            images = self.pipeline(
                **self._texts([d.prompt for d in padded]), height=s.size, width=s.size, output_type="pt",
                generator=[torch.Generator().manual_seed(d.seed) for d in padded],
                num_inference_steps=s.steps, guidance_scale=s.guidance,
            ).images  # fmt: skip
        return images[: len(chunk)].float().cpu().clone()

    def _texts(self, prompts: list[str]) -> dict[str, Any]:
        """What the pipeline gets for its prompts: stored embeddings, or the texts where it is of another make."""
        if not self.encodes:
            return {"prompt": prompts}
        self._encode([*prompts, ""] if self.sampler.guidance > 1 else prompts)
        texts = {"prompt_embeds": torch.stack([self.embeddings[p] for p in prompts])}
        if self.sampler.guidance > 1:
            texts["negative_prompt_embeds"] = self.embeddings[""].expand_as(texts["prompt_embeds"])
        return texts

    def _encode(self, prompts: Sequence[str]) -> None:
        new = [p for p in dict.fromkeys(prompts) if p not in self.embeddings]
        for i in range(0, len(new), self.sampler.chunk):
            block = new[i : i + self.sampler.chunk]
            encoded, _ = self.pipeline.encode_prompt(self._pad(block), self.pipeline.device, 1, False)
            self.embeddings |= dict(zip(block, encoded, strict=False))

    def _pad(self, items: Sequence) -> list:
        """The items and copies of the last one: every call has the same shape, hence the same arithmetic."""
        return [*items, *[items[-1]] * (self.sampler.chunk - len(items))]


@contextmanager
def numerics() -> Iterator[None]:
    """One CPU thread and deterministic kernels, so that bytes depend neither on the cores nor on the caller."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with deterministic(), warnings.catch_warnings():
            # The scheduler hands tensors to numpy 2 in a way that it will stop accepting one day.
            warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
            yield
    finally:
        torch.set_num_threads(threads)


def to_bytes(pictures: Float[Tensor, "b 3 h w"]) -> UInt8[Tensor, "b 3 h w"]:
    """[0, 1] to 0..255, rounded."""
    return (pictures * 255).round().clamp(0, 255).to(torch.uint8)


def fault(picture: Float[Tensor, "3 h w"]) -> str:
    """Why a picture cannot be used, or "": not finite, all black, of one colour."""
    if not bool(torch.isfinite(picture).all()):
        return "not finite"
    pixels = to_bytes(picture[None])[0].flatten(1)
    if not bool(pixels.any()):
        return "all black"
    return "of one colour" if bool((pixels == pixels[:, :1]).all()) else ""


def fill(painter: Painter, chunk: Sequence[Draw], cache: PictureCache) -> None:
    """Draw and store a chunk; a degenerate picture is drawn again with a seed derived from its own."""
    todo = {draw: draw.seed for draw in chunk}
    for attempt in range(1, TRIES + 1):
        pictures = painter([Draw(d.prompt, seed) for d, seed in todo.items()])
        faults = {d: fault(p) for d, p in zip(todo, pictures, strict=True)}
        good = {d: p for d, p in zip(todo, to_bytes(pictures), strict=True) if not faults[d]}
        cache.put_all(good)
        todo = {d: seed_of(d.seed, "retry", attempt) for d in todo if faults[d]}
        for d, seed in todo.items():
            log.warning("%r with seed %d is %s: drawn again with seed %d.", d.prompt, d.seed, faults[d], seed)
        if not todo:
            return
    raise NumericsError(
        f"{TRIES} pictures of {next(iter(todo)).prompt!r} in a row are black, of one colour or not finite. "
        "Use precision fp32 (or bf16), a smaller guidance scale or another pipeline; finished pictures are kept."
    )
