"""The state of an unfinished run in one sealed file: tensors, and what describes them as JSON in its header."""

import fcntl
import hashlib
import json
import logging
import shutil
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from gift_lib import results
from gift_lib.errors import DataError, GiftError
from gift_lib.evaluation import Row
from gift_lib.files import atomic_write, canonical_json, digest, held, make_folder, write_json
from gift_lib.methods.base import Method

log = logging.getLogger(__name__)

Tree = dict[str, dict[str, Tensor]]
#: Tensors hashed side by side.
THREADS = 4


@dataclass
class Progress:
    """What a run has done so far: it is saved in every checkpoint and ends up in the record."""

    zero_shot: list[float] = field(default_factory=list)
    R: list[list[float]] = field(default_factory=list)
    #: The same without task identity (see `evaluation.Row`): among all classes, and among those learned so far.
    zero_shot_all: list[float] = field(default_factory=list)
    R_all: list[list[float]] = field(default_factory=list)
    R_learned: list[list[float | None]] = field(default_factory=list)
    losses: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    synthetic: list[str] = field(default_factory=list)
    step: int = 0
    extra: dict[str, Any] = field(default_factory=dict)

    def add(self, row: Row) -> None:
        """One evaluation more."""
        self.R.append(row.own)
        self.R_all.append(row.every)
        self.R_learned.append(row.learned)


@dataclass(frozen=True)
class State:
    """The file of an unfinished run, and whose it is: the run, the processor, and the packages that can move a number.

    Another run's state, or one that another machine began, would end in a record that nobody can repeat.
    """

    path: Path
    owner: Mapping[str, str]

    def write(self, groups: Tree, meta: Mapping[str, Any]) -> None:
        """Write groups of named tensors and a JSON-able `meta`, atomically; DataError where the disk refuses."""
        flat = {f"{g}/{k}": v.detach().cpu().contiguous() for g, tensors in groups.items() for k, v in tensors.items()}
        flat = _unshared(flat)
        said = {"meta": canonical_json(meta), "owner": canonical_json(self.owner)}
        with atomic_write(self.path) as temporary:
            save_file(flat, temporary, metadata={**said, "seal": seal(flat, said)})

    def read(self) -> tuple[Tree, dict[str, Any]] | None:
        """The groups and the meta of `write`; None without a file, DataError where it is not whole or another's.

        One that a version before seals has left counts as none: nothing says what it holds, and the run begins anew.
        """
        if not self.path.exists():
            return None
        try:
            with safe_open(self.path, framework="pt") as file:
                said = dict(file.metadata())
                if not said.keys() & {"seal", "owner"}:
                    log.warning("%s is of an older version of the library: the run begins anew.", self.path)
                    return None
                flat = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
            sealed = said.pop("seal")
            meta, owner = json.loads(said["meta"]), json.loads(said["owner"])
        except (SafetensorError, ValueError, KeyError, TypeError, OSError) as error:
            raise self.broken(str(error)) from error
        if sealed != seal(flat, said):
            raise self.broken("its seal does not fit")
        self._check_owner(owner)
        groups: Tree = {}
        for name, tensor in flat.items():
            group, key = name.split("/", 1)
            groups.setdefault(group, {})[key] = tensor
        return groups, meta

    def _check_owner(self, owner: Mapping[str, str]) -> None:
        if owner.get("run") != self.owner["run"]:
            raise DataError(f"{self.path} is the state of another run. {REMEDY}")
        other = [f"{k} {owner.get(k)} (here {v})" for k, v in self.owner.items() if owner.get(k) != v]
        if other:
            raise DataError(
                f"{self.path} was begun with {', '.join(other)}: the rest would give numbers that nobody can repeat. "
                f"Go on as it was begun, or start anew. {REMEDY}"
            )

    def broken(self, why: str) -> DataError:
        return DataError(f"{self.path} is broken ({why}). {REMEDY}")


REMEDY = "Delete it: the run then starts from its first task."


def state_in(folder: Path, key: str, device: str) -> State:
    """The state of the run of that key, in its folder, on this machine."""
    here = results.environment(device)
    processor = f"{device} {here['cpu_capability']}" if device == "cpu" else here["device"]
    return State(folder / "state.safetensors", {"run": key, "processor": processor, **here["packages"]})


@dataclass(frozen=True)
class Kept:
    """The models after each task of a run that was asked to keep them, and last its record, in a folder."""

    folder: Path
    name: str
    owner: Mapping[str, str]

    def add(self, t: int, method: Method) -> None:
        """Keep the model after phase t."""
        make_folder(self.folder)
        self._state(t).write({"model": method.model.state_dict()}, {})

    def finish(self, record: results.Record) -> None:
        write_json(self.folder / self.name, record)

    @property
    def record(self) -> results.Record | None:
        """The run's record; None where the run, or a model of it, is missing."""
        if not (self.folder / self.name).exists():
            return None
        record = results.read(self.folder / self.name)
        return record if all(self._state(t).path.exists() for t in range(len(record["result"]["R"]))) else None

    def model(self, t: int) -> dict[str, Tensor]:
        """The weights after phase t; DataError where they are not there, not whole, or another run's."""
        state = self._state(t)
        saved = state.read()
        if saved is None:
            raise state.broken("it is not there")
        return saved[0]["model"]

    def _state(self, t: int) -> State:
        return State(self.folder / f"{t + 1:02d}.safetensors", self.owner)


def kept_in(root: Path, name: str, device: str) -> Kept:
    """The kept models of the run whose record has that name, as this machine and these packages compute them."""
    owner = state_in(root, name, device).owner
    return Kept(root / digest(owner), name, owner)


def seal(tensors: Mapping[str, Tensor], said: Mapping[str, str]) -> str:
    """64 hex digits of every tensor's name, kind, shape and bytes, and of what the header says."""
    names = sorted(tensors)
    with ThreadPoolExecutor(THREADS) as threads:
        hashes = list(threads.map(lambda n: _hash(tensors[n]), names))
    kinds = [[str(tensors[n].dtype), list(tensors[n].shape)] for n in names]
    return digest([names, kinds, hashes, dict(said)], 64)


def _hash(tensor: Tensor) -> str:
    return hashlib.sha256(tensor.flatten().view(torch.uint8).numpy()).hexdigest()


# The weights at the start of the task (its teacher) and now, the optimiser, the method's own state.


def snapshot(method: Method) -> Tree:
    """A copy of a method's weights and of its own state."""
    return {
        "start": {k: v.detach().clone() for k, v in method.model.state_dict().items()},
        "method_start": {k: v.detach().clone() for k, v in method.state().items()},
    }


def save(state: State, method: Method, done: Progress, start: Tree | None = None, learner: Any = None) -> None:
    """Write a run's state: between tasks, or within one with the `snapshot` of its start and its `training.Learner`."""
    groups = start or snapshot(method)
    meta = {k: v for k, v in vars(done).items() if k != "extra"}
    if learner:
        groups = groups | {"model": method.model.state_dict(), "method": method.state(), "optimizer": learner.state()}
        meta["scaler"] = learner.scaler.state_dict()
    state.write(groups, meta)


def restore(state: State, method: Method) -> tuple[Progress, bool]:
    """Put the method where the current task began; what came after waits in `extra` for `resume`.

    What was done so far, and whether there was anything. Raises DataError for a state that does not fit the run.
    """
    saved = state.read()
    if saved is None:
        return Progress(), False
    groups, meta = saved
    scaler = meta.pop("scaler", None)
    with _fitting(state):
        done = Progress(**meta, extra={"groups": groups, "scaler": scaler, "state": state} if meta["step"] else {})
        if len({len(done.R), len(done.R_all), len(done.R_learned), len(done.synthetic)}) > 1:
            raise ValueError("it counts its tasks in two ways")
        method.model.load_state_dict(groups["start"])
        method.load_state(groups.get("method_start", {}))
    return done, True


def resume(method: Method, learner: Any, done: Progress) -> None:
    """After `before_task` has rebuilt the teacher: the weights, moments and state of the interrupted step."""
    if not done.extra:
        return
    groups, moments = done.extra["groups"], done.extra["groups"].get("optimizer", {})
    with _fitting(done.extra["state"]):
        _check_moments(moments, learner, done.step)
        method.model.load_state_dict(groups["model"])
        method.load_state(groups.get("method", {}))
        learner.load_state(moments)
        learner.scaler.load_state_dict(done.extra["scaler"] or {})
    done.extra = {}


def _check_moments(moments: Mapping[str, Tensor], learner: Any, step: int) -> None:
    """ValueError where a weight lacks one of Adam's moments, or where these are of another step than the run."""
    kinds = ("step/", "exp_avg/", "exp_avg_sq/")
    names = [frozenset(k.removeprefix(m) for k in moments if k.startswith(m)) for m in kinds]
    if len(set(names)) > 1:
        raise ValueError("the optimiser lacks moments")
    made = max((float(moments[f"step/{name}"]) for name in names[0]), default=0.0)
    skips = learner.scaler.is_enabled()  # fp16 leaves out steps that overflow
    if not (made <= step < learner.steps and (skips or made == step)):
        raise ValueError(f"the optimiser has made {made:g} steps, the run {step} of {learner.steps}")


@contextmanager
def _fitting(state: State) -> Iterator[None]:
    """A state that lacks something or does not fit the method is broken, however whole its file is."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise state.broken(f"{error}".split("\n")[0]) from error


@contextmanager
def workplace(folder: Path) -> Iterator[Path]:
    """A folder for one run's state, locked against a second process; removed when the run succeeds."""
    make_folder(folder)
    with _lock_file(folder / "lock") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise GiftError(f"another process is working on this very run ({folder}). Wait for it to end.") from None
        except OSError as error:  # some mounted drives have no locks
            log.warning("%s cannot be locked (%s): start no second process on this run.", folder, error.strerror)
        yield folder
        shutil.rmtree(folder, ignore_errors=True)


def _lock_file(path: Path) -> IO:
    try:
        return open(path, "w")
    except OSError as error:
        raise DataError(
            f"cannot write {path}: {error.strerror}. Choose a cache folder that you may write to (GIFT_CACHE)."
        ) from error


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
