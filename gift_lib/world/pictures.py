"""The pre-training pictures: rendered once, cached on disk under the world's hash."""

import json
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor
from tqdm import tqdm
from transformers import CLIPTokenizer

from gift_lib.checkpoint import seal
from gift_lib.data import mini
from gift_lib.errors import DataError
from gift_lib.files import atomic_write, cache_root, digest
from gift_lib.world.loop import check_seal

#: Pictures drawn at a time, and pictures that the fingerprint of a web is taken from.
CHUNK, PRINTED = 1000, 256


@dataclass(frozen=True)
class Pairs:
    """Pictures, captions and the true names behind them."""

    pixels: UInt8[Tensor, "n 3 h w"]
    captions: list[str]
    names: list[str]

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def fingerprint(self) -> str:
        """16 hex digits of the first pictures and captions: which web a set of weights has seen."""
        return digest([digest(self.pixels[:PRINTED].numpy().tobytes()), self.captions[:PRINTED]])


def pairs(n: int, seed: int, clean: bool = False, workers: int = 1) -> Pairs:
    """`n` web pairs of stream `seed`, from the cache where they are there; `workers` processes draw them."""
    kind = "clean" if clean else "noisy"
    file = cache_root() / "world" / f"pairs-{mini.world_hash()}-{kind}-{n}-{seed}.safetensors"
    if not file.exists():
        pixels, captions, names = _render(n, seed, clean, workers)
        meta = {"captions": json.dumps(list(captions)), "names": json.dumps(list(names))}
        with atomic_write(file) as temporary:
            tensors = {"pixels": pixels.contiguous()}
            save_file(tensors, temporary, metadata={**meta, "seal": seal(tensors, meta)})
    try:
        with safe_open(file, "pt") as opened:
            pixels = opened.get_tensor("pixels")
            meta = check_seal({"pixels": pixels}, opened.metadata(), {"captions", "names"})
            return Pairs(pixels, json.loads(meta["captions"]), json.loads(meta["names"]))
    except Exception as error:
        raise DataError(f"{file} is damaged ({error}). Delete it and run the same command again.") from error


def _render(n: int, seed: int, clean: bool, workers: int) -> tuple[Tensor, list[str], list[str]]:
    """Draw pairs in chunks; chunks join to the same pairs whatever their number."""
    starts = range(0, n, CHUNK)
    job = partial(_chunk, n=n, seed=seed, clean=clean)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) if workers > 1 else nullcontext() as pool:
        done = tqdm(pool.map(job, starts) if pool else map(job, starts), total=len(starts), desc="pictures")
        pixels, captions, names = zip(*done, strict=True)
    pixels = torch.cat([torch.from_numpy(p) for p in pixels])
    return pixels, [c for part in captions for c in part], [c for part in names for c in part]


def _chunk(start: int, n: int, seed: int, clean: bool) -> tuple[np.ndarray, list[str], list[str]]:
    pixels, captions, names = mini.web_pairs(min(CHUNK, n - start), seed, clean=clean, start=start)
    return pixels.numpy(), captions, names


def tokens(tokenizer: CLIPTokenizer, texts: list[str]) -> Int64[Tensor, "n length"]:
    """Token ids padded to the context length; equal texts are tokenised once."""
    distinct = list(dict.fromkeys(texts))
    rows = {t: i for i, t in enumerate(distinct)}
    length = tokenizer.model_max_length
    ids = tokenizer(distinct, padding="max_length", truncation=True, max_length=length, return_tensors="pt").input_ids
    return ids[torch.tensor([rows[t] for t in texts])]


def texts() -> list[str]:
    """What the tokenizer learns from: captions of the web, prompts of every class, names alone."""
    found = [t for task in mini.tasks().values() for template in task.templates for t in task.prompts(template)]
    found += [f"a photo of a {c}." for c in mini.CONCEPTS]
    found += [c for task in mini.tasks().values() for c in task.classes]
    return found + mini.web_captions(4000, 13)
