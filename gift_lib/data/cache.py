"""Decoded images in memory-mapped files that training and every evaluation read.

A split is one folder: shards (`00000.bin`: pixels of 1024 images, rows of RGB), labels and the originals' sizes in
`index.safetensors`, and, written last of all, `manifest.json`, which seals the rest: a shard's digest is checked when
the shard is first read.
"""

import hashlib
import os
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from safetensors.torch import load_file
from torch import Tensor

from gift_lib.data.records import Records
from gift_lib.data.transforms import Preprocess, boxes, crop_numbers
from gift_lib.errors import DataError
from gift_lib.files import cache_root, expanded, file_digest, held, read_json
from gift_lib.tasks import Images, Split

#: Bumped when the same records give other bytes.
VERSION = 2
SHARD = 1024
#: The name of a folder of generated pictures: its sampler's digest.
GENERATED = re.compile("[0-9a-f]{16}")
#: What the library writes into a split's folder.
_OURS = re.compile(r"[0-9]{5}\.(bin|json)|index\.safetensors|manifest\.json|plan\.json|\..*\.(tmp|lock)")
#: Threads that decode originals for a batch of training crops (Pillow releases the interpreter's lock).
THREADS = min(16, os.cpu_count() or 1)


def images_root(cache_dir: str | os.PathLike | None = None) -> Path:
    """Where decoded images lie: `images` in the cache folder, or in GIFT_DECODED where that is set.

    They are large and quickly made again: a fast disk suits them, while the cache folder may be a mounted drive.
    """
    return expanded(cache_dir or os.environ.get("GIFT_DECODED") or cache_root()) / "images"


# --- reading ------------------------------------------------------------------------------------------------------


class CachedImages:
    """Memory-mapped pictures of one split, each shard's digest checked before it is used. Safe to read from threads."""

    def __init__(self, stored: "Stored", sizes: Int64[Tensor, "n 2"], originals: Callable[[], Records] | None):
        self.stored, self.sizes, self._find = stored, sizes, originals
        self._maps: dict[int, UInt8[np.ndarray, "k h w 3"]] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self.sizes)

    def batch(self, index: Int64[Tensor, " b"]) -> UInt8[Tensor, "b 3 h w"]:
        """The eval view: the central square (the whole picture where the data set's are small)."""
        pixels = np.stack([self._shard(i // SHARD)[i % SHARD] for i in index.tolist()])
        return torch.from_numpy(pixels).permute(0, 3, 1, 2)  # channels last in memory, as the image tower likes it

    def cut(
        self, index: Int64[Tensor, " b"], u: Float[Tensor, "b k 2"], preprocess: Preprocess, device: Any = "cpu"
    ) -> Float[Tensor, "b 3 s s"]:
        """The crops that the uniform numbers `u` decide, in 0..255, each cut once from its original picture."""
        if self.stored.manifest["native"]:
            return preprocess.cut(self.batch(index).to(device), u)
        drawn = torch.stack(boxes(u, *self.sizes[index].unbind(dim=1)), dim=1).int().tolist()
        pictures = list(
            self._threads.map(lambda job: self._one(*job, preprocess), zip(index.tolist(), drawn, strict=True))
        )
        return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).to(device).float()

    def _one(self, i: int, box: list[int], preprocess: Preprocess) -> UInt8[np.ndarray, "s s 3"]:
        image = self._originals.pictures.open(i)
        if image.size[::-1] != tuple(self.sizes[i].tolist()):
            name = self._originals.pictures.name(i)
            raise self.stored.damaged(f"the original {name} is another picture now ({image.size[0]} x {image.size[1]})")
        return preprocess.cut_one(image, box)

    @cached_property
    def _originals(self) -> Records:
        """What the split was decoded from; a DataError where it is not here, or is something else by now."""
        with self._lock:
            if self._find is None:
                raise DataError(
                    f"{self.stored.folder} was opened without its original pictures, which crops are cut from."
                )
            found = self._find()
            self.stored.require({"records": found.digest})
            return found

    @cached_property
    def _threads(self) -> ThreadPoolExecutor:
        self._originals  # noqa: B018 - once, before any thread asks for it
        return ThreadPoolExecutor(THREADS)

    def _shard(self, k: int) -> UInt8[np.ndarray, "k h w 3"]:
        with self._lock:
            if k not in self._maps:
                self._maps[k] = self.stored.shard(k)
            return self._maps[k]


def train_view(
    images: Images, index: Int64[Tensor, " b"], preprocess: Preprocess, generator: torch.Generator, device: Any = "cpu"
) -> Float[Tensor, "b 3 s s"]:
    """The training transform of any store of images: a store with `cut` crops its own originals.

    The generator gives the same amount per picture, so that stores of the same pictures draw the same crops.
    """
    if not hasattr(images, "cut"):
        return preprocess.train(images.batch(index).to(device), generator)
    return preprocess.normalise(images.cut(index, crop_numbers(len(index), generator), preprocess, device))


@dataclass(frozen=True)
class Stored:
    """A finished split on disk."""

    folder: Path

    @cached_property
    def manifest(self) -> dict[str, Any]:
        return read_json(self.folder / "manifest.json")

    @property
    def bytes(self) -> int:
        return sum(p.stat().st_size for p in self.folder.iterdir() if p.is_file())

    @property
    def changes(self) -> str:
        """What was changed of the pictures beyond decoding, with counts; '' where nothing was."""
        return ", ".join(f"{n} {what}" for what, n in self.manifest["changes"].items())

    def open(self, originals: Callable[[], Records] | None = None) -> Split:
        """Images and labels, memory-mapped; a DataError where a file is missing or has another length.

        `originals` finds the records that were decoded, when training first asks for crops.
        """
        self._check_lengths()
        if file_digest(self.folder / "index.safetensors", 64) != self.manifest["index"]:
            raise self.damaged("index.safetensors does not have its digest")
        index = load_file(self.folder / "index.safetensors")
        return Split(CachedImages(self, index["sizes"], originals), index["labels"])

    def shard(self, k: int) -> UInt8[np.ndarray, "k h w 3"]:
        """The pixels of shard `k`, mapped into memory; a DataError where they do not have their digest."""
        pixels = np.memmap(self.folder / f"{k:05d}.bin", dtype=np.uint8, mode="r")
        if hashlib.sha256(pixels).hexdigest() != self.manifest["shards"][k]["sha256"]:
            raise self.damaged(f"{k:05d}.bin does not have its digest")
        return pixels.reshape(-1, *self.manifest["shape"])

    def verify(self) -> None:
        """Read every byte; a DataError where a digest differs."""
        self.open()
        for k in range(len(self.manifest["shards"])):
            self.shard(k)

    def require(self, identity: dict[str, Any]) -> None:
        """A DataError where the split was made by another version, at another size or from other pictures."""
        odd = [k for k, v in identity.items() if self.manifest.get(k) != v]
        if "records" in odd:
            raise self.damaged("it was decoded from other pictures than those that are here now")
        if odd:
            raise self.damaged(f"its {' and '.join(odd)} is not what is asked for")

    def _check_lengths(self) -> None:
        if self.manifest.get("version") != VERSION:
            raise self.damaged("another version of the library wrote it")
        for k, shard in enumerate(self.manifest["shards"]):
            path = self.folder / f"{k:05d}.bin"
            if not path.exists() or path.stat().st_size != shard["bytes"]:
                raise self.damaged(f"{path.name} is missing or cut short")
        if not (self.folder / "index.safetensors").exists():
            raise self.damaged("index.safetensors is missing")

    def damaged(self, why: str) -> DataError:
        return DataError(
            f"the decoded images in {self.folder} cannot be used: {why}. "
            f"Run `python -m gift_lib.data clear {self.folder.parent.name}`: what is needed is decoded again."
        )


def stored(folder: Path) -> Stored | None:
    """The finished split in `folder`, if there is one."""
    return Stored(folder) if (folder / "manifest.json").exists() else None


# --- housekeeping -------------------------------------------------------------------------------------------------


def is_ours(folder: Path) -> bool:
    """Whether a folder in `images_root` holds splits that the library decoded, and nothing else."""
    return all(
        _OURS.fullmatch(p.name) is not None if p.is_file() else all(_OURS.fullmatch(q.name) for q in p.iterdir())
        for p in folder.iterdir()
    )


def at_work(folder: Path) -> bool:
    """Whether a process decodes into a data set's folder at this moment."""
    return any(held(lock) for lock in folder.glob(".*.lock"))


def listing(cache_dir: str | os.PathLike | None = None) -> Iterator[tuple[str, str, int, bool]]:
    """(data set, split and size, bytes, finished) of everything that is decoded, sorted.

    Generated pictures lie beside, in folders that are named by 16 hex digits: `gift_lib.runs.caches` lists all.
    """
    root = images_root(cache_dir)
    folders = (p for p in root.glob("*/*") if p.is_dir() and not GENERATED.fullmatch(p.parent.name))
    for folder in sorted(folders) if root.exists() else ():
        size = sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())
        yield folder.parent.name, folder.name, size, (folder / "manifest.json").exists()


def clear(name: str, cache_dir: str | os.PathLike | None = None) -> int:
    """Remove a data set's decoded images; the bytes freed.

    A DataError where a process decodes them at this moment, or where the folder holds files of somebody else.
    """
    sizes = [size for dataset, _, size, _ in listing(cache_dir) if dataset == name]
    folder = images_root(cache_dir) / name
    if sizes:
        if at_work(folder):
            raise DataError(f"a process decodes into {folder} at this moment. Wait for it to end.")
        if not is_ours(folder):
            raise DataError(
                f"{folder} holds files that this library did not write. Remove by hand what you do not need."
            )
        shutil.rmtree(folder, ignore_errors=True)
    return sum(sizes)
