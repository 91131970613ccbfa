"""Encoded pictures with labels, before they are decoded: what a reader finds on disk."""

import hashlib
import io
import os
import struct
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch.utils.data import random_split

from gift_lib.data import tree
from gift_lib.errors import DataError
from gift_lib.files import digest

#: Seed and share of the random splits of Caltech101, EuroSAT and SUN397 (GIFT's and ZSCL's released code).
SPLIT_SEED, TRAIN_SHARE = 42, 0.8


#: The formats that Pillow may take a file for, whatever its name says (some .jpg of OxfordPet and SUN397 are others).
FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "AVIF", "BMP", "DIB", "TIFF", "JPEG2000", "PPM")
#: What a file that is no picture, or half of one, makes Pillow raise.
UNDECODABLE = (OSError, SyntaxError, ValueError, EOFError, struct.error, Image.DecompressionBombError)


def why(error: Exception) -> str:
    return "it is no picture of a known format" if isinstance(error, UnidentifiedImageError) else str(error)


@runtime_checkable
class Pictures(Protocol):
    """Pictures that can be decoded one at a time."""

    def __len__(self) -> int: ...

    def open(self, i: int) -> Image.Image:
        """Picture `i`, RGB, decoded; a DataError that names it where it cannot be.

        What was changed beyond decoding stands in `info["changes"]`, where anything was.
        """

    def name(self, i: int) -> str:
        """What identifies picture `i` within its data set."""

    def mark(self, i: int) -> str:
        """What tells picture `i` from another of its name, cheaply: a file's length."""


@dataclass(frozen=True)
class Files:
    """Image files under one root."""

    root: Path
    paths: Sequence[str]  # relative to root, with forward slashes

    #: What to do about a file that is missing or broken.
    remedy: ClassVar[str] = "Extract the data set's archive again into {root}."

    def __len__(self) -> int:
        return len(self.paths)

    def open(self, i: int) -> Image.Image:
        path = self.root / self.paths[i]
        try:
            # Not by its path: Pillow maps a grey TIFF into memory and then mistakes its sides where it turns it.
            with open(path, "rb") as file, Image.open(file, formats=FORMATS) as image:
                return self.rgb(image)
        except FileNotFoundError as error:
            raise self._missing(path) from error
        except UNDECODABLE as error:
            remedy = self.remedy.format(root=tree.shown(self.root))
            raise DataError(f"{tree.shown(path)} cannot be decoded ({why(error)}). {remedy}") from error

    def rgb(self, image: Image.Image) -> Image.Image:
        """The picture in three channels, as torchvision's data sets have it."""
        return image.convert("RGB")

    def name(self, i: int) -> str:
        return self.paths[i]

    def mark(self, i: int) -> str:
        return str(self.stat(i).st_size)

    def stat(self, i: int) -> os.stat_result:
        path = self.root / self.paths[i]
        try:
            return path.stat()
        except OSError as error:
            raise self._missing(path) from error

    def _missing(self, path: Path) -> DataError:
        remedy = self.remedy.format(root=tree.shown(self.root))
        return DataError(f"{tree.shown(path)} is listed but does not exist. {remedy}")


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

    def mark(self, i: int) -> str:
        return f"{zlib.crc32(np.ascontiguousarray(self.pixels[i])):08x}"


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
            where = io.BytesIO(cell["bytes"]) if cell["bytes"] else cell["path"]
            with Image.open(where, formats=FORMATS) as image:
                return image.convert("RGB")
        except (*UNDECODABLE, AttributeError) as error:
            raise DataError(
                f"row {i} of {self.origin} cannot be decoded ({why(error)}). "
                "Delete the downloaded copy and prepare again."
            ) from error

    def name(self, i: int) -> str:
        return f"{self.origin}#{i}"

    def mark(self, i: int) -> str:
        """Nothing: the address, with its revision, names the pictures."""
        return ""


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

    def mark(self, i: int) -> str:
        return self.pictures.mark(self.index[i])


@dataclass(frozen=True)
class Records:
    """Pictures and their labels, in one order."""

    pictures: Pictures
    labels: Sequence[int] = field(repr=False)

    def __len__(self) -> int:
        return len(self.labels)

    def subset(self, index: Sequence[int]) -> "Records":
        return Records(Subset(self.pictures, index), [self.labels[i] for i in index])

    @cached_property
    def digest(self) -> str:
        """16 hex digits of names, lengths of files and labels, in order: which pictures are in the split."""
        sha = hashlib.sha256()
        for i, label in enumerate(self.labels):
            line = f"{self.pictures.name(i)}\t{self.pictures.mark(i)}\t{label}\n"
            sha.update(line.encode("utf-8", "surrogateescape"))
        return sha.hexdigest()[:16]


def from_files(root: str | os.PathLike, samples: Iterable[tuple[str, int]]) -> Records:
    """Records of (path relative to `root`, label) pairs."""
    paths, labels = [], []
    for path, label in samples:
        paths.append(path)
        labels.append(label)
    return Records(Files(Path(root), paths), labels)


def origin_of(records: Records) -> str:
    """The hub repository or folder that the pictures are rows of; '' for files of one's own disk."""
    pictures = records.pictures
    while isinstance(pictures, Subset):
        pictures = pictures.pictures
    return pictures.origin if isinstance(pictures, Rows) else ""


def split_indices(n: int) -> dict[str, list[int]]:
    """Membership of the random 80/20 split of `n` samples: torch's `random_split`, generator seeded 42."""
    train = int(TRAIN_SHARE * n)
    parts = random_split(range(n), [train, n - train], generator=torch.Generator().manual_seed(SPLIT_SEED))
    return {"train": list(parts[0].indices), "test": list(parts[1].indices)}


def split_digest(n: int) -> str:
    """16 hex digits of the membership of `split_indices(n)`."""
    return digest(list(split_indices(n).values()))
