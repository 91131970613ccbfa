"""Decoding a split once: shard after shard, by one process at a time, going on where a killed one stopped.

A picture is kept as the published eval transform makes it: RGB, shorter side `size` by Pillow's bicubic, centre square.
So the eval view is stored bytes, equal to the published one to the bit. Training crops are cut from the original
pictures. Data sets of small pictures (CIFAR100, MNIST, EuroSAT) keep them whole, and need the originals no more.
"""

import contextlib
import fcntl
import logging
import math
import os
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image
from safetensors.torch import save_file
from torchvision.transforms import InterpolationMode
from torchvision.transforms.functional import center_crop, resize
from tqdm import tqdm

from gift_lib.data import cache
from gift_lib.data.cache import Stored, stored
from gift_lib.data.records import Pictures, Records, origin_of
from gift_lib.errors import DataError
from gift_lib.files import atomic_write, file_digest, locks, make_folder, read_json, write_json

log = logging.getLogger(__name__)


def workers_here() -> int:
    return min(16, os.cpu_count() or 1)


# --- once ---------------------------------------------------------------------------------------------------------


def once(
    folder: Path, find: Callable[[], Records], size: int, native: bool = False, workers: int | None = None,
    progress: bool = True,
) -> Stored:  # fmt: skip
    """The decoded split in `folder`; decoded first from the records of `find` where it is not there.

    Of several processes one decodes and the others wait for it. What it takes is printed before.
    """
    if not (found := stored(folder)):
        with alone(folder):
            if not (found := stored(folder)):  # another process may have decoded it while this one waited
                records = find()
                announce(records, folder, size, native, progress)
                found = build(records, folder, size, native, workers, progress)
    return found


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Within: no other process works on `folder`, on this machine or another that locks on the same drive."""
    lock = lock_of(folder)
    make_folder(lock.parent)
    with contextlib.ExitStack() as stack:
        while True:
            file = stack.enter_context(open(lock, "a"))
            try:
                if not locks(file):
                    print(f"Another process works on {folder}: waiting for it.", flush=True)
                    fcntl.flock(file, fcntl.LOCK_EX)
            except OSError as error:  # some mounted drives have no locks
                log.warning("%s cannot be locked (%s): start no second process on it.", folder, error.strerror)
                break
            with contextlib.suppress(FileNotFoundError):  # the file may be removed while this process waits for it
                if os.path.samestat(os.fstat(file.fileno()), lock.stat()):
                    break
        yield


def lock_of(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.lock")


# --- one picture --------------------------------------------------------------------------------------------------


def decoded(image: Image.Image, size: int, native: bool) -> UInt8[np.ndarray, "h w 3"]:
    """The pixels that are stored of one picture."""
    if not native:
        image = center_crop(resize(image, [size], InterpolationMode.BICUBIC), [size, size])
    return np.asarray(image, dtype=np.uint8)


@dataclass(frozen=True)
class Done:
    """A picture decoded: its pixels, (height, width) of the original, and what was changed beyond decoding."""

    pixels: UInt8[np.ndarray, "h w 3"]
    size: tuple[int, int]
    changes: tuple[str, ...]


def _decoder(pictures: Pictures, size: int, native: bool) -> Callable[[int], Done]:
    def decode(i: int) -> Done:
        image = pictures.open(i)
        return Done(decoded(image, size, native), image.size[::-1], tuple(image.info.get("changes", ())))

    return decode


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
) -> Stored:
    """Decode `records` into `folder`; shards that an earlier run finished are kept, a finished split is left alone.

    The caller holds the folder `alone`. Raises DataError for a picture that cannot be decoded (what was done stays),
    for a full disk, and where the folder holds other pictures.
    """
    identity = {"version": cache.VERSION, "size": size, "native": native, "records": records.digest}
    if found := stored(folder):
        found.require(identity)
        return found
    _keep_only_same(make_folder(folder), identity)
    starts = range(0, len(records), cache.SHARD)
    done = {k for k in range(len(starts)) if _shard_done(folder, k)}
    bar = tqdm(total=len(records), initial=sum(min(cache.SHARD, len(records) - k * cache.SHARD) for k in done),
               desc=f"{folder.parent.name}/{folder.name}", unit=" images", disable=not progress)  # fmt: skip
    with bar, ThreadPoolExecutor(workers or workers_here()) as pool:
        for k, start in enumerate(starts):
            if k not in done:
                index = range(start, min(start + cache.SHARD, len(records)))
                _write_shard(folder, k, list(pool.map(_decoder(records.pictures, size, native), index)))
                bar.update(len(index))
    _finish(folder, records, identity)
    return Stored(folder)


def _keep_only_same(folder: Path, identity: dict[str, Any]) -> None:
    """Empty an unfinished folder of another version, size or set of pictures; note what it is going to hold."""
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


def _write_shard(folder: Path, k: int, images: list[Done]) -> None:
    with atomic_write(folder / f"{k:05d}.bin") as path, open(path, "wb") as file:
        for image in images:
            file.write(np.ascontiguousarray(image.pixels).data)
    path = folder / f"{k:05d}.bin"
    note = {
        "bytes": path.stat().st_size, "sha256": file_digest(path, 64), "sizes": [list(i.size) for i in images],
        "shapes": sorted({i.pixels.shape for i in images}), "changes": Counter(c for i in images for c in i.changes),
    }  # fmt: skip
    write_json(folder / f"{k:05d}.json", note)


def _finish(folder: Path, records: Records, identity: dict[str, Any]) -> None:
    notes = [read_json(folder / f"{k:05d}.json") for k in range(math.ceil(len(records) / cache.SHARD))]
    shapes = {tuple(s) for note in notes for s in note["shapes"]}
    if len(shapes) != 1:
        raise DataError(f"{folder} is to hold pictures at their own sizes, which differ. Prepare it with native=False.")
    index = {
        "labels": torch.tensor(list(records.labels), dtype=torch.int64),
        "sizes": torch.tensor([s for note in notes for s in note["sizes"]], dtype=torch.int64),
    }
    with atomic_write(folder / "index.safetensors") as path:
        save_file(index, path)
    manifest = identity | {
        "images": len(records), "origin": origin_of(records), "shape": list(shapes.pop()),
        "index": file_digest(folder / "index.safetensors", 64),
        "shards": [{"bytes": n["bytes"], "sha256": n["sha256"]} for n in notes],
        "changes": sum((Counter(n["changes"]) for n in notes), Counter()),
    }  # fmt: skip
    write_json(folder / "manifest.json", manifest)
    for note in [folder / "plan.json", *folder.glob("[0-9]*.json"), *folder.glob(".*.tmp")]:
        note.unlink(missing_ok=True)
