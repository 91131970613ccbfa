"""Encoded pictures with labels, before they are decoded: what a reader finds on disk."""

import hashlib
import io
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from PIL import Image
from torch.utils.data import random_split

from gift_lib.errors import DataError
from gift_lib.files import digest

#: Seed and share of the random splits of Caltech101, EuroSAT and SUN397 (GIFT's and ZSCL's released code).
SPLIT_SEED, TRAIN_SHARE = 42, 0.8


@runtime_checkable
class Pictures(Protocol):
    """Pictures that can be decoded one at a time."""

    def __len__(self) -> int: ...

    def open(self, i: int) -> Image.Image:
        """Picture `i`, RGB, decoded; a DataError that names it where it cannot be."""

    def name(self, i: int) -> str:
        """What identifies picture `i` within its data set."""


@dataclass(frozen=True)
class Files:
    """Image files under one root."""

    root: Path
    paths: Sequence[str]  # relative to root, with forward slashes

    def __len__(self) -> int:
        return len(self.paths)

    def open(self, i: int) -> Image.Image:
        path = self.root / self.paths[i]
        try:
            with Image.open(path) as image:
                return image.convert("RGB")
        except FileNotFoundError as error:
            raise DataError(
                f"{path} is listed but does not exist. Extract the data set's archive again into {self.root}."
            ) from error
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise DataError(
                f"{path} cannot be decoded ({error}). Delete it and extract the data set's archive again."
            ) from error

    def name(self, i: int) -> str:
        return self.paths[i]


@dataclass(frozen=True)
class Arrays:
    """Pictures of one size that a single file holds (CIFAR, MNIST): `pixels` is [n, h, w] or [n, h, w, 3]."""

    origin: str
    pixels: np.ndarray

    def __len__(self) -> int:
        return len(self.pixels)

    def open(self, i: int) -> Image.Image:
        return Image.fromarray(self.pixels[i]).convert("RGB")

    def name(self, i: int) -> str:
        return f"{self.origin}#{i}"


@dataclass(frozen=True)
class Rows:
    """Pictures in a column of a Hugging Face `datasets` table, read undecoded and decoded here."""

    origin: str
    table: Any
    column: str

    def __len__(self) -> int:
        return len(self.table)

    def open(self, i: int) -> Image.Image:
        try:
            cell = self.table[i][self.column]  # {"bytes": ..., "path": ...}
            with Image.open(io.BytesIO(cell["bytes"]) if cell["bytes"] else cell["path"]) as image:
                return image.convert("RGB")
        except (OSError, SyntaxError, ValueError, AttributeError, Image.DecompressionBombError) as error:
            raise DataError(
                f"row {i} of {self.origin} cannot be decoded ({error}). Delete the downloaded copy and prepare again."
            ) from error

    def name(self, i: int) -> str:
        return f"{self.origin}#{i}"


@dataclass(frozen=True)
class Subset:
    """Some of the pictures of another store."""

    pictures: Pictures
    index: Sequence[int]

    def __len__(self) -> int:
        return len(self.index)

    def open(self, i: int) -> Image.Image:
        return self.pictures.open(self.index[i])

    def name(self, i: int) -> str:
        return self.pictures.name(self.index[i])


@dataclass(frozen=True)
class Records:
    """Pictures and their labels, in one order."""

    pictures: Pictures
    labels: Sequence[int] = field(repr=False)

    def __len__(self) -> int:
        return len(self.labels)

    def subset(self, index: Sequence[int]) -> "Records":
        return Records(Subset(self.pictures, index), [self.labels[i] for i in index])

    @property
    def digest(self) -> str:
        """16 hex digits of names and labels in order: which pictures are in the split."""
        sha = hashlib.sha256()
        for i, label in enumerate(self.labels):
            sha.update(f"{self.pictures.name(i)}\t{label}\n".encode())
        return sha.hexdigest()[:16]


def from_files(root: str | os.PathLike, samples: Iterable[tuple[str, int]]) -> Records:
    """Records of (path relative to `root`, label) pairs."""
    paths, labels = [], []
    for path, label in samples:
        paths.append(path)
        labels.append(label)
    return Records(Files(Path(root), paths), labels)


def split_indices(n: int) -> dict[str, list[int]]:
    """Membership of the random 80/20 split of `n` samples: torch's `random_split`, generator seeded 42."""
    train = int(TRAIN_SHARE * n)
    parts = random_split(range(n), [train, n - train], generator=torch.Generator().manual_seed(SPLIT_SEED))
    return {"train": list(parts[0].indices), "test": list(parts[1].indices)}


def split_digest(n: int) -> str:
    """16 hex digits of the membership of `split_indices(n)`."""
    return digest(list(split_indices(n).values()))
