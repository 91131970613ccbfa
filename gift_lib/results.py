"""Records: one small JSON per run, keyed on the digest of what made it, sealed by the digest of all that it says."""

import importlib.metadata
import os
import platform
import resource
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from gift_lib import metrics
from gift_lib.config import NUMERICS_VERSION, Experiment, from_dict
from gift_lib.errors import DataError, GiftError
from gift_lib.files import digest, expanded, read_json, write_json
from gift_lib.speed import products

if TYPE_CHECKING:
    import pandas as pd

SCHEMA = 1
Record = dict[str, Any]

#: Packages whose version can move a number.
PACKAGES = ("torch", "torchvision", "open_clip_torch", "diffusers", "transformers", "numpy", "pillow", "scikit-learn")


class Unsealed(DataError):
    """A record from before there were seals: nothing is wrong with it."""


@dataclass(frozen=True, eq=False)
class Address:
    """What makes a run's record current, digested once: its experiment, and the identity of what it is made from."""

    experiment: Experiment
    identity: Mapping[str, Any]

    @cached_property
    def key(self) -> str:
        """16 hex digits of config and identity (world, weights, numerics)."""
        return digest({"config": self.experiment.to_dict(), "identity": dict(self.identity)})

    def path(self, folder: str | Path) -> Path:
        """Where the record lives: `<folder>/<scale>/<method>-<order>-s<seed>-<key>.json`."""
        e = self.experiment
        return _path(folder, e.scale, e.method, e.order, e.seed, self.key)

    def find(self, folder: str | Path) -> Record | None:
        """The current record, verified, or None."""
        path = self.path(folder)
        return read(path) if os.path.exists(path) else None

    def record(self, result: Mapping, run: Mapping) -> Record:
        """A record. `result` is what must repeat to the byte; `run` holds times, memory and versions."""
        return sealed({
            "schema": SCHEMA,
            "config": self.experiment.to_dict(),
            "digest": self.experiment.digest,
            "key": self.key,
            "identity": dict(self.identity),
            "result": dict(result),
            "run": dict(run),
        })  # fmt: skip


def sealed(record: Mapping[str, Any]) -> Record:
    """A record with the seal that is checked when it is read: the digest of everything else in it."""
    said = {k: v for k, v in record.items() if k != "seal"}
    return {**said, "seal": digest(said)}


def identity(world: str, clip: str, pipeline: str) -> dict[str, Any]:
    """The hashes of world and weights, and the library's numerics version."""
    return {"world": world, "clip": clip, "pipeline": pipeline, "numerics": NUMERICS_VERSION}


def write(record: Record, folder: str | Path) -> Path:
    """Write a record atomically to its place under `folder`; two writers of one record never damage it."""
    path = place_of(folder, record)
    write_json(path, record)
    return path


def place_of(folder: str | Path, record: Record) -> Path:
    """`Address.path` of a record that is there, from what it says of itself."""
    c = record["config"]
    return _path(folder, c["scale"], c["method"], c["order"], c["seed"], record["key"])


def _path(folder: str | Path, scale: str, method: str, order: str, seed: int, key: str) -> Path:
    return expanded(folder) / scale / f"{method}-{order if order in ('I', 'II') else 'custom'}-s{seed}-{key}.json"


def form_of(record: Record) -> str:
    """What the rows of R are: "continual", "alone" or "joint" (see `metrics.summary`)."""
    return record["result"].get("form", "continual")


def kind_of(record: Record) -> str:
    """The kind of machine that a record was made on, as far as it decides how numbers are rounded."""
    return f"{record['run'].get('device')} {record['run'].get('cpu_capability')}"


def read(path: str | Path) -> Record:
    """Read and verify one record; DataError where it is broken, edited, of another schema or under another's name.

    Unsealed, a DataError of its own, where an older version of the library wrote it.
    """
    record = read_json(path)
    if isinstance(record, dict) and record.get("schema") == SCHEMA and "seal" not in record:
        raise Unsealed(
            f"{path} has no seal, since an older version of the library wrote it: "
            f"`python -m gift_lib.runs.seal {Path(path).parent}` gives it one and changes no number."
        )
    check(record, path)
    if not _seal_fits(record):
        raise DataError(
            f"{path} was changed after it was written (its seal does not fit): "
            "fetch it again from where it came, or delete it and run its experiment again."
        )
    return record


def _seal_fits(record: Record) -> bool:
    try:
        return record["seal"] == sealed(record)["seal"]
    except ValueError:  # NaN and its like have no digest, and no record holds them
        return False


def check(record: Any, path: str | Path) -> None:
    """Everything about a record but its seal; DataError where what was read from `path` is no record of that name."""
    if not isinstance(record, dict) or record.get("schema") != SCHEMA:
        raise DataError(f"{path} is not a record of schema {SCHEMA}: delete it and run its experiment again.")
    try:
        made_by = Address(from_dict(record["config"]), record["identity"])
        own = made_by.path("").name
        final = metrics.final_row(record["result"]["R"], form_of(record))
        complete = len(final) == len(record["result"]["tasks"]) == len(record["result"]["zero_shot"])
        metrics.open_summary(record["result"])
    except (KeyError, TypeError, ValueError, AttributeError, GiftError) as error:
        raise DataError(f"{path} is broken ({error}): delete it and run its experiment again.") from error
    named = record.get("key") == made_by.key and record.get("digest") == made_by.experiment.digest
    if not (named and complete):
        raise DataError(f"{path} does not agree with its own key: delete it and run its experiment again.")
    if Path(path).name != own:
        raise DataError(f"{path} holds the record of another run: call it {own}, or delete it.")


def read_all(folder: str | Path) -> list[Record]:
    """Every record under a folder, in the order of file names; DataError where one stands there twice."""
    records, places = [], {}
    for path in sorted(expanded(folder).rglob("*-s*-*.json")):
        records.append(read(path))
        if first := places.get(path.name):
            raise DataError(f"{first} and {path} are one record, which would count twice: delete one of them.")
        places[path.name] = path
    return records


def load_frame(folder: str | Path | Iterable[Record]) -> "pd.DataFrame":
    """All records as one DataFrame: a row per run, a column per setting, the metrics, and the record itself."""
    import pandas as pd

    records = read_all(folder) if isinstance(folder, (str, Path)) else list(folder)
    return pd.DataFrame([_row(r) for r in records])


def _row(record: Record) -> dict[str, Any]:
    numbers = metrics.summary(record["result"]["R"], form_of(record)) | metrics.open_summary(record["result"])
    return {**record["config"], **numbers, "seconds": record["run"].get("seconds"), "key": record["key"],
            **{f"id_{k}": v for k, v in record["identity"].items()}, "record": record}  # fmt: skip


def environment(device: str) -> dict[str, Any]:
    """Versions and kind of hardware, for the `run` block. No host names."""
    versions = {p: importlib.metadata.version(p) for p in PACKAGES if _installed(p)}
    gpu = torch.cuda.get_device_name(device) if device.startswith("cuda") else None
    return {
        "device": gpu or device,
        "cpu_capability": products.kind(),
        "python": platform.python_version(),
        "packages": versions,
    }


def peak_memory_bytes(device: str) -> int:
    """The most memory the process (or the GPU, when there is one) held at any moment, in bytes."""
    if device.startswith("cuda"):
        return torch.cuda.max_memory_allocated(device)
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _installed(package: str) -> bool:
    try:
        importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True
