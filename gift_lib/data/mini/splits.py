"""Rendered splits of the tasks, cached on disk under the world's hash, and the hash itself."""

import dataclasses
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from gift_lib.data.mini import digits, looks, web
from gift_lib.data.mini.families import FAMILIES, Family
from gift_lib.data.mini.streams import STREAMS, generator
from gift_lib.data.mini.style import SIZE, render
from gift_lib.data.mini.worlds import COUNTS, World, find
from gift_lib.errors import ConfigError, DataError, nearest
from gift_lib.files import atomic_write, cache_root, digest
from gift_lib.tasks import SPLITS, Split, Task, TensorImages

_NUMBER = {f.name: k for k, f in enumerate(FAMILIES)}


def one(family: Family, label: int, stream: str, index: int) -> UInt8[np.ndarray, "32 32 3"]:
    """Picture `index` of a class in a stream, in the task's own style."""
    program = list(family.programs.values())[label]
    if family.name == "digits":
        program = digits.handwritten(label, stream if stream in SPLITS else "train")
    pixels = render(program, family.style, generator(stream, _NUMBER[family.name], label, index))
    return looks.shown(pixels, family.look, family.strength) if family.look else pixels


def rendered(family: Family, split: str, sizes: list[int]) -> UInt8[Tensor, "n 3 32 32"]:
    """A whole split, class by class; `sizes` says how many pictures each class has."""
    return web.stacked([one(family, label, split, k) for label, n in enumerate(sizes) for k in range(n)])


@lru_cache(maxsize=8)
def world_hash(name: str = "1") -> str:
    """16 hex digits of a world: its version, every knob and a picture of each class in both styles."""
    world = find(name)
    probe = [one(f, c, "probe", 0).tobytes() for f in world.families for c in range(len(f.classes))]
    probe += [web.picture(e, generator("probe", 1000 + k)).tobytes() for k, e in enumerate(web.ENTRIES)]
    scans = b"".join(s.tobytes() for s in digits.scans())
    described = [
        [f.name, f.classes, f.templates, repr(f.far), repr(f.web), f.gap, f.leak, f.coarse] for f in world.families
    ]
    facts = [world.version, STREAMS, COUNTS, digits.RANGES, dataclasses.asdict(web.NOISE), described,
             web.web_captions(64, 0), digest(b"".join(probe) + scans)]  # fmt: skip
    return digest([*facts, world.knobs] if world.knobs else facts)


def tasks(cache_dir: str | Path | None = None, world: str = "1") -> dict[str, Task]:
    """The eleven tasks of a world by name; a split is rendered (or read from the cache) when first asked for."""
    folder, drawn = Path(cache_dir) if cache_dir else cache_root() / "mini", find(world)
    return {
        f.name: Task(f.name, f.classes, f.templates, _opener(f, drawn, folder), f.stands_for) for f in drawn.families
    }


def _opener(family: Family, world: World, folder: Path):
    def open_split(split: str) -> Split:
        if split not in COUNTS:
            raise ConfigError(f"{family.name} has no split {split!r}; {nearest(split, COUNTS)}")
        sizes = world.sizes(family, split)
        pixels = cached(family, split, sizes, folder / world_hash(world.name))
        labels = torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes))
        return Split(TensorImages(pixels), labels)

    return open_split


def cached(family: Family, split: str, sizes: list[int], folder: Path) -> UInt8[Tensor, "n 3 32 32"]:
    """The split's pictures from the world's folder in the cache; rendered anew where absent or damaged."""
    path = folder / f"{family.name}-{split}.safetensors"
    try:
        return _read(path)
    except DataError:
        pixels = rendered(family, split, sizes)
        with atomic_write(path) as temporary:
            save_file({"pixels": pixels}, temporary, {"digest": digest(pixels.numpy().tobytes())})
        return pixels


def _read(path: Path) -> UInt8[Tensor, "n 3 32 32"]:
    """Verified pictures; a DataError where the file is missing, truncated or altered."""
    try:
        with safe_open(path, "pt") as file:
            pixels, known = file.get_tensor("pixels"), (file.metadata() or {}).get("digest")
    except (OSError, SafetensorError) as error:
        raise DataError(f"{path} cannot be read ({error}). It will be rendered again.") from error
    if pixels.shape[1:] != (3, SIZE, SIZE) or digest(pixels.numpy().tobytes()) != known:
        raise DataError(f"{path} does not hold what was written. It will be rendered again.")
    return pixels
