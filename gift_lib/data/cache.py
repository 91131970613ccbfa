"""Images decoded and resized once, in memory-mapped files that training and every evaluation read.

An image is kept as the published eval transform first makes it: RGB, shorter side `size`, Pillow's bicubic,
whole. So the eval view is a crop of stored bytes, equal to the published one to the bit, and the training
crop of scale 0.9-1 still has the whole picture to draw from. Of very long pictures the ends that neither
transform can reach are left out. Data sets of small pictures (CIFAR100, MNIST, EuroSAT) keep their own size.

A split is one folder of shards (`00000.bin`: pixels of 1024 images, rows of RGB), written one after the other
so that a stopped run goes on at the next shard, and, last of all, `index.safetensors` and `manifest.json`.
"""

import math
import os
import re
import shutil
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms.functional import resize
from tqdm import tqdm

from gift_lib.data.records import Pictures, Records
from gift_lib.data.transforms import Preprocess, crops, resize_matrices
from gift_lib.errors import DataError
from gift_lib.files import atomic_write, cache_root, expanded, file_digest, make_folder, read_json, write_json
from gift_lib.tasks import Images, Split

#: Bumped when the same records give other bytes.
CACHE_VERSION = 1
SHARD = 1024
#: Longer than this (long side over short side) no training crop of scale 0.9 and ratio 4/3 fits: all are central.
LONGEST = 1.6
#: The name of a folder of generated pictures: its sampler's digest.
GENERATED = re.compile("[0-9a-f]{16}")


def images_root(cache_dir: str | os.PathLike | None = None) -> Path:
    """Where decoded images lie: `images` in the cache folder, or in GIFT_DECODED where that is set.

    They are large and quickly made again: a fast disk suits them, while the cache folder may be a mounted drive.
    """
    return expanded(cache_dir or os.environ.get("GIFT_DECODED") or cache_root()) / "images"


def workers_here() -> int:
    return min(16, os.cpu_count() or 1)


# --- one picture --------------------------------------------------------------------------------------------------


def decoded(image: Image.Image, size: int, native: bool) -> UInt8[np.ndarray, "h w 3"]:
    """The pixels that are stored of one picture."""
    if not native:
        image = without_ends(resize(image, [size], InterpolationMode.BICUBIC))
    return np.asarray(image, dtype=np.uint8)


def without_ends(image: Image.Image) -> Image.Image:
    """At most about 1.6 times as long as wide, cut evenly at both ends.

    The cut is even, so that what is rounded down in finding the centre is rounded down as before.
    """
    w, h = image.size
    cut = max(0, (max(w, h) - math.ceil(LONGEST * min(w, h))) // 4 * 2)
    box = (cut, 0, w - cut, h) if w >= h else (0, cut, w, h - cut)
    return image.crop(box) if cut else image


# --- cost ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cost:
    """What preparing a split takes, estimated from a sample of its pictures."""

    images: int
    bytes: int
    seconds: float

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.images + other.images, self.bytes + other.bytes, self.seconds + other.seconds)

    def __str__(self) -> str:
        return f"{self.images} images, {self.bytes / 1e9:.2f} GB on disk, about {duration(self.seconds)}"


def duration(seconds: float) -> str:
    return (
        f"{seconds:.0f} s"
        if seconds < 90
        else f"{seconds / 60:.0f} min"
        if seconds < 5400
        else f"{seconds / 3600:.1f} h"
    )


def estimate(records: Records, size: int, native: bool = False, workers: int | None = None, sample: int = 32) -> Cost:
    """Decode a few evenly spread pictures and scale up."""
    n, workers = len(records), workers or workers_here()
    step = (n - 1) / max(1, min(n, sample) - 1)
    index = [round(i * step) for i in range(min(n, sample))]
    start = time.perf_counter()
    total = sum(decoded(records.pictures.open(i), size, native).nbytes for i in index)
    seconds = time.perf_counter() - start
    return Cost(n, round(total / len(index) * n), seconds / len(index) * n / workers)


def require_space(folder: Path, needed: int, what: str = "the decoded images", setting: str = "GIFT_CACHE") -> None:
    """A DataError where the disk has less room than `needed` bytes."""
    free = shutil.disk_usage(make_folder(folder)).free
    if free < needed:
        raise DataError(
            f"{folder} has {free / 1e9:.1f} GB free but {what} take {needed / 1e9:.1f} GB. "
            f"Free some space, or set {setting} to a folder on a larger disk."
        )


def announce(records: Records, folder: Path, size: int, native: bool = False, progress: bool = True) -> None:
    """Say what decoding `records` into `folder` will cost; a DataError where the disk has no room for it."""
    cost = estimate(records, size, native)
    require_space(folder.parent, cost.bytes)
    if progress:
        print(f"Decoding {folder.parent.name}/{folder.name} once: {cost}.", flush=True)


# --- writing ------------------------------------------------------------------------------------------------------


def build(
    records: Records, folder: Path, size: int, native: bool = False, workers: int | None = None, progress: bool = True
) -> None:
    """Decode `records` into `folder`; shards that an earlier run finished are kept.

    Raises DataError for a picture that cannot be decoded (what was done stays) and for a full disk.
    """
    identity = {"version": CACHE_VERSION, "size": size, "native": native, "records": records.digest}
    _keep_only_same(make_folder(folder), identity)
    starts = range(0, len(records), SHARD)
    done = {k for k in range(len(starts)) if _shard_done(folder, k)}
    bar = tqdm(total=len(records), initial=sum(min(SHARD, len(records) - k * SHARD) for k in done),
               desc=f"{folder.parent.name}/{folder.name}", unit=" images", disable=not progress)  # fmt: skip
    with bar, ThreadPoolExecutor(workers or workers_here()) as pool:
        for k, start in enumerate(starts):
            if k not in done:
                index = range(start, min(start + SHARD, len(records)))
                _write_shard(folder, k, list(pool.map(_decoder(records.pictures, size, native), index)))
                bar.update(len(index))
    _finish(folder, records, identity)


def _decoder(pictures: Pictures, size: int, native: bool):
    return lambda i: decoded(pictures.open(i), size, native)


def _keep_only_same(folder: Path, identity: dict[str, Any]) -> None:
    """Empty the folder if it holds another version, size or set of pictures; note what it is going to hold."""
    plan = folder / "plan.json"
    if not plan.exists() or _unreadable(plan) or read_json(plan) != identity:
        for old in folder.iterdir():
            old.unlink()
        write_json(plan, identity)


def _unreadable(path: Path) -> bool:
    try:
        read_json(path)
    except DataError:
        return True
    return False


def _shard_done(folder: Path, k: int) -> bool:
    note = folder / f"{k:05d}.json"
    if not note.exists() or _unreadable(note):
        return False
    pixels = note.with_suffix(".bin")
    return pixels.exists() and pixels.stat().st_size == read_json(note)["bytes"]


def _write_shard(folder: Path, k: int, images: list[np.ndarray]) -> None:
    with atomic_write(folder / f"{k:05d}.bin") as path, open(path, "wb") as file:
        for image in images:
            file.write(np.ascontiguousarray(image).data)
    path = folder / f"{k:05d}.bin"
    shapes = [list(image.shape[:2]) for image in images]
    write_json(
        folder / f"{k:05d}.json", {"bytes": path.stat().st_size, "sha256": file_digest(path, 64), "shapes": shapes}
    )


def _finish(folder: Path, records: Records, identity: dict[str, Any]) -> None:
    notes = [read_json(folder / f"{k:05d}.json") for k in range(math.ceil(len(records) / SHARD))]
    shapes = torch.tensor([s for note in notes for s in note["shapes"]], dtype=torch.int64)
    index = {"labels": torch.tensor(list(records.labels), dtype=torch.int64), "shapes": shapes}
    with atomic_write(folder / "index.safetensors") as path:
        save_file(index, path)
    shards = [{"bytes": n["bytes"], "sha256": n["sha256"]} for n in notes]
    manifest = identity | {
        "images": len(records), "shards": shards, "index": file_digest(folder / "index.safetensors", 64),
    }  # fmt: skip
    write_json(folder / "manifest.json", manifest)
    for note in [folder / "plan.json", *folder.glob("[0-9]*.json"), *folder.glob(".*.tmp")]:
        note.unlink(missing_ok=True)


# --- reading ------------------------------------------------------------------------------------------------------


class CachedImages:
    """Memory-mapped pictures of one split. Safe to read from several threads."""

    def __init__(self, folder: Path, shapes: Int64[Tensor, "n 2"], size: int, native: bool):
        self.folder, self.shapes, self.size, self.native = folder, shapes, size, native
        lengths = shapes.prod(dim=1) * 3
        ends = lengths.cumsum(0)
        first = torch.arange(len(shapes)) // SHARD * SHARD
        self._offsets = (ends - lengths - (ends - lengths)[first]).tolist()
        self._maps: dict[int, np.ndarray] = {}
        self._lock = threading.Lock()
        self.uniform = native and len(torch.unique(shapes, dim=0)) == 1

    def __len__(self) -> int:
        return len(self.shapes)

    def batch(self, index: Int64[Tensor, " b"]) -> UInt8[Tensor, "b 3 h w"]:
        """The eval view: the central square of `size` pixels (the whole picture where the data set's are small)."""
        if self.uniform:
            return _stack([self._whole(i) for i in index.tolist()])
        if self.native:
            raise DataError(f"{self.folder} was stored at its own sizes, which differ. Prepare it with native=False.")
        return _stack([_central(self._whole(i), self.size) for i in index.tolist()])

    def whole(self, index: Int64[Tensor, " b"]) -> tuple[UInt8[Tensor, "b 3 h w"], Int64[Tensor, "b 2"]]:
        """The whole pictures, padded at the lower right with zeros to one size, and their (height, width)."""
        shapes = self.shapes[index]
        h, w = shapes.max(dim=0).values.tolist()
        out = np.zeros((len(index), h, w, 3), dtype=np.uint8)
        for row, i in zip(out, index.tolist(), strict=True):
            image = self._whole(i)
            row[: image.shape[0], : image.shape[1]] = image
        return torch.from_numpy(out).permute(0, 3, 1, 2), shapes

    def _whole(self, i: int) -> UInt8[np.ndarray, "h w 3"]:
        h, w = self.shapes[i].tolist()
        start = self._offsets[i]
        return self._map(i // SHARD)[start : start + h * w * 3].reshape(h, w, 3)

    def _map(self, k: int) -> np.ndarray:
        with self._lock:
            if k not in self._maps:
                self._maps[k] = np.memmap(self.folder / f"{k:05d}.bin", dtype=np.uint8, mode="r")
            return self._maps[k]


def _stack(images: list[np.ndarray]) -> UInt8[Tensor, "b 3 h w"]:
    """Channels last in memory, as the image tower likes it."""
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)


def _central(image: np.ndarray, size: int) -> np.ndarray:
    top, left = (round((n - size) / 2) for n in image.shape[:2])
    return image[top : top + size, left : left + size]


def train_view(
    images: Images, index: Int64[Tensor, " b"], preprocess: Preprocess, generator: torch.Generator, device: Any = "cpu"
) -> Float[Tensor, "b 3 s s"]:
    """The training transform of any store of images, each picture cropped as a whole.

    A store without `whole`, or one that says it is `uniform`, holds pictures of one size: theirs is
    `preprocess.train`. The generator gives the same amount per picture, so both draw the same crops where all
    pictures have one size.
    """
    if not hasattr(images, "whole") or images.uniform:
        return preprocess.train(images.batch(index).to(device), generator)
    pixels, shapes = images.whole(index)
    boxes = [crops(1, h, w, generator) for h, w in shapes.tolist()]
    top, left, height, width = (torch.cat(v) for v in zip(*boxes, strict=True))
    with torch.device(device):  # the matrices are made where they are used
        rows = resize_matrices(top.to(device), height.to(device), pixels.shape[-2], preprocess.size)
        columns = resize_matrices(left.to(device), width.to(device), pixels.shape[-1], preprocess.size)
    resized = rows[:, None] @ pixels.to(device).float() @ columns[:, None].transpose(-1, -2)
    return preprocess._normalise(resized.clamp_(0, 255))


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

    def open(self) -> Split:
        """Images and labels, memory-mapped; a DataError where a file is missing or has another length."""
        self._check_lengths()
        if file_digest(self.folder / "index.safetensors", 64) != self.manifest["index"]:
            raise self._damaged("index.safetensors does not have its digest")
        index = load_file(self.folder / "index.safetensors")
        images = CachedImages(self.folder, index["shapes"], self.manifest["size"], self.manifest["native"])
        return Split(images, index["labels"])

    def verify(self) -> None:
        """Read every byte; a DataError where a digest differs."""
        self.open()
        for k, shard in enumerate(self.manifest["shards"]):
            if file_digest(self.folder / f"{k:05d}.bin", 64) != shard["sha256"]:
                raise self._damaged(f"{k:05d}.bin does not have its digest")

    def _check_lengths(self) -> None:
        if self.manifest.get("version") != CACHE_VERSION:
            raise self._damaged("another version of the library wrote it")
        for k, shard in enumerate(self.manifest["shards"]):
            path = self.folder / f"{k:05d}.bin"
            if not path.exists() or path.stat().st_size != shard["bytes"]:
                raise self._damaged(f"{path.name} is missing or cut short")
        if not (self.folder / "index.safetensors").exists():
            raise self._damaged("index.safetensors is missing")

    def _damaged(self, why: str) -> DataError:
        name = self.folder.parent.name
        return DataError(
            f"the decoded images in {self.folder} cannot be used: {why}. "
            f"Run `python -m gift_lib.data clear {name}` and `python -m gift_lib.data prepare {name}`."
        )


def stored(folder: Path) -> Stored | None:
    """The finished split in `folder`, if there is one."""
    return Stored(folder) if (folder / "manifest.json").exists() else None


# --- housekeeping -------------------------------------------------------------------------------------------------


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
    """Remove a data set's decoded images; the bytes freed."""
    sizes = [size for dataset, _, size, _ in listing(cache_dir) if dataset == name]
    if sizes:
        shutil.rmtree(images_root(cache_dir) / name, ignore_errors=True)
    return sum(sizes)
