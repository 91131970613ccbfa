"""Class names and prompt templates of the eleven MTIL data sets, as CLIP publishes them with MTIL's differences.

They are shipped because they are part of the protocol: prompts to the generator are drawn from them, so
one letter changes every picture that follows. tests/data/test_names.py proves them against the SHA-256 digests
of the published prompt lists, all eleven tasks of both orders. `{c}` in a template takes the class name.
"""

import json
from functools import cache
from pathlib import Path

from gift_lib.errors import ConfigError, nearest

FILE = Path(__file__).with_name("names.json")


@cache
def _all() -> dict[str, dict[str, list[str]]]:
    return json.loads(FILE.read_text(encoding="utf-8"))


def _entry(dataset: str) -> dict[str, list[str]]:
    if dataset not in _all():
        raise ConfigError(f"there is no MTIL data set {dataset!r}; {nearest(dataset, _all())}")
    return _all()[dataset]


def datasets() -> tuple[str, ...]:
    """The names of the eleven data sets in the order of the table (Order I)."""
    return tuple(_all())


def classes(dataset: str) -> tuple[str, ...]:
    """The class names of a data set; the position is the label."""
    return tuple(_entry(dataset)["classes"])


def templates(dataset: str) -> tuple[str, ...]:
    """The evaluation templates of a data set; the first one serves training and the generator."""
    return tuple(_entry(dataset)["templates"])


def folders(dataset: str) -> tuple[str, ...]:
    """The class folders on disk, in label order, where they are called otherwise than the classes."""
    return tuple(_entry(dataset).get("folders", ()))
