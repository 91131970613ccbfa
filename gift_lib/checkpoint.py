"""The state of an unfinished run in one file: tensors, and what describes them as JSON in its header."""

import fcntl
import json
import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from gift_lib.errors import DataError, GiftError
from gift_lib.files import atomic_write, canonical_json, held, make_folder

log = logging.getLogger(__name__)

Tree = dict[str, dict[str, Tensor]]


def save(path: Path, groups: Tree, meta: dict[str, Any]) -> None:
    """Write groups of named tensors and a JSON-able `meta`, atomically."""
    flat = {f"{g}/{k}": v.detach().cpu().contiguous() for g, tensors in groups.items() for k, v in tensors.items()}
    with atomic_write(path) as temporary:
        save_file(_unshared(flat), temporary, metadata={"meta": canonical_json(meta)})


def load(path: Path) -> tuple[Tree, dict[str, Any]] | None:
    """The groups and the meta of `save`; None where there is no file, DataError where it is broken."""
    if not path.exists():
        return None
    groups: Tree = {}
    try:
        with safe_open(path, framework="pt") as file:
            meta = json.loads(file.metadata()["meta"])
            for name in file.keys():  # noqa: SIM118 - not a dict
                group, key = name.split("/", 1)
                groups.setdefault(group, {})[key] = file.get_tensor(name)
    except (SafetensorError, ValueError, KeyError, TypeError, OSError) as error:
        raise DataError(f"{path} is broken ({error}). Delete it: the run then starts from its first task.") from error
    return groups, meta


@contextmanager
def workplace(folder: Path) -> Iterator[Path]:
    """A folder for one run's state, locked against a second process; removed when the run succeeds."""
    make_folder(folder)
    with open(folder / "lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise GiftError(f"another process is working on this very run ({folder}). Wait for it to end.") from None
        except OSError as error:  # some mounted drives have no locks
            log.warning("%s cannot be locked (%s): start no second process on this run.", folder, error.strerror)
        yield folder
        shutil.rmtree(folder, ignore_errors=True)


def at_work(folder: Path) -> bool:
    """Whether a process works on a run's state."""
    return held(folder / "lock")


def discard(folder: Path) -> None:
    """Remove a run's state, unless a process works on it."""
    if not at_work(folder):
        shutil.rmtree(folder, ignore_errors=True)


def _unshared(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """safetensors refuses tensors that share memory: copy the later ones."""
    seen: set[int] = set()
    result = {}
    for name, tensor in tensors.items():
        shared = tensor.numel() > 0 and tensor.data_ptr() in seen
        seen.add(tensor.data_ptr())
        result[name] = tensor.clone() if shared else tensor
    return result
