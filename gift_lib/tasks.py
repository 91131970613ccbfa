"""What a task is: a name, classes, prompt templates and three splits of labelled images."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from gift_lib.errors import ConfigError, DataError, nearest

SPLITS = ("train", "val", "test")


@runtime_checkable
class Images(Protocol):
    """Decoded images in any store (memory, memory map): what training and evaluation read."""

    def __len__(self) -> int: ...

    def batch(self, index: Int64[Tensor, " b"]) -> UInt8[Tensor, "b 3 h w"]:
        """The images at `index`, RGB, in that order."""


@dataclass(frozen=True)
class TensorImages:
    """Images held in memory."""

    pixels: UInt8[Tensor, "n 3 h w"]

    def __len__(self) -> int:
        return len(self.pixels)

    def batch(self, index: Int64[Tensor, " b"]) -> UInt8[Tensor, "b 3 h w"]:
        return self.pixels[index]


@dataclass(frozen=True)
class Split:
    """Labelled images of one split of one task."""

    images: Images
    labels: Int64[Tensor, " n"]

    def __post_init__(self):
        if len(self.images) != len(self.labels):
            raise DataError(f"{len(self.images)} images but {len(self.labels)} labels: make the split again.")

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Task:
    """One data set of the sequence. Splits are opened when first asked for.

    `stands_for` names the MTIL data set whose part the task plays (itself, on the real scales).
    """

    name: str
    classes: tuple[str, ...]
    templates: tuple[str, ...]
    open_split: Callable[[str], Split] = field(repr=False, compare=False)
    stands_for: str = ""

    @cached_property
    def train(self) -> Split:
        return self._open("train")

    @cached_property
    def val(self) -> Split:
        return self._open("val")

    @cached_property
    def test(self) -> Split:
        return self._open("test")

    def prompts(self, template: str | None = None) -> list[str]:
        """The training prompt of every class: templates[0] unless another template is given."""
        return [fill(template or self.templates[0], c) for c in self.classes]

    def _open(self, name: str) -> Split:
        split = self.open_split(name)
        low, high = int(split.labels.min()), int(split.labels.max())
        if low < 0 or high >= len(self.classes):
            raise DataError(
                f"{self.name}/{name} has labels {low}..{high} but {len(self.classes)} classes: "
                "prepare the data set again."
            )
        return split


def fill(template: str, name: str) -> str:
    """A template with the class name in place of `{c}`."""
    return template.replace("{c}", name)


#: Orders I and II over the names of the MTIL data sets (alphabetical, and the paper's second).
ORDERS: dict[str, tuple[str, ...]] = {
    "I": ("Aircraft", "Caltech101", "CIFAR100", "DTD", "EuroSAT", "Flowers", "Food", "MNIST",
          "OxfordPet", "StanfordCars", "SUN397"),
    "II": ("StanfordCars", "Food", "MNIST", "OxfordPet", "Flowers", "SUN397", "Aircraft", "Caltech101",
           "DTD", "EuroSAT", "CIFAR100"),
}  # fmt: skip


def in_order(tasks: Mapping[str, Task], order: str, only: tuple[str, ...] = ()) -> list[Task]:
    """The tasks in Order `I` or `II`, or in the order of a comma-separated list of task names.

    `only` keeps a subset (by task name), in the same order. A name that is unknown, or outside the order, is a
    ConfigError.
    """
    by_name = {t.name: t for t in tasks.values()}
    if order in ORDERS:
        by_part = {t.stands_for: t for t in tasks.values()}
        sequence = [by_part[d] for d in ORDERS[order] if d in by_part]
    else:
        sequence = [_pick(by_name, n.strip(), f"order {order!r}") for n in order.split(",")]
    kept = [_pick(by_name, n, "tasks") for n in only]
    outside = [t.name for t in kept if t not in sequence]
    if outside:
        raise ConfigError(f"tasks: {outside[0]!r} is not in the order {order!r}. Add it there, or leave it out here.")
    return [t for t in sequence if not only or t in kept]


def _pick(by_name: Mapping[str, Task], name: str, where: str) -> Task:
    if name not in by_name:
        raise ConfigError(f"{where}: there is no task {name!r}; {nearest(name, by_name)}")
    return by_name[name]


def all_indices(n: int) -> Int64[Tensor, " n"]:
    """0 .. n-1, as `Images.batch` takes them."""
    return torch.arange(n, dtype=torch.int64)
