"""One job of a batch: a papermill run that holds a lock, waits its turn and, where there are several, owns a GPU.

It starts for every run, so it imports nothing heavy.
"""

import argparse
import fcntl
import json
import os
import re
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from gift_lib.errors import ConfigError, DataError, GiftError
from gift_lib.files import cache_root, expanded, locks, make_folder
from gift_lib.runs import yaml_io
from gift_lib.runs.arguments import at_least
from gift_lib.runs.repository import ROOT

#: What CUDA_VISIBLE_DEVICES may name: a number, a GPU's UUID, or an instance of one.
GPU = re.compile(r"[0-9]{1,4}|(GPU|MIG)-[0-9A-Za-z/-]{1,100}")


def run(values: Mapping[str, Any], gpus: int, notebook: Path, record: Path) -> int:
    """One papermill execution of the experiment notebook, unless its record is there; 0 where there is one in the end.

    Waits while another process works on the same run (one left by a batch that was killed): its record will do.
    """
    with alone(notebook):
        if record.exists():
            if is_record(record):
                return 0
            put_aside(record)
        with one_gpu(gpus) as environment:
            environment["GIFT_CACHE"] = str(cache_root().absolute())  # the notebook runs in a folder of its own
            if values.get("device", "cpu") == "cpu":
                environment["OMP_NUM_THREADS"] = "1"
            # It inherits the locks: should this process be killed, they are held as long as the other one works.
            code = subprocess.run(command(values, notebook), env=environment, close_fds=False, check=False).returncode
        if code and record.exists() and is_record(record):
            print(f"{record} is whole, though its page failed afterwards: see {notebook}.", file=sys.stderr)
            return 0  # the engine would remove the record of a failed job
        return code


def command(values: Mapping[str, Any], notebook: Path) -> list[str]:
    """The papermill line of a run in a batch. In its paths papermill takes what stands in braces for a parameter."""
    source = ROOT / "notebooks" / "experiment.ipynb"
    page, filled = (str(path).replace("{", "{{").replace("}", "}}") for path in (source, notebook))
    return [sys.executable, "-m", "gift_lib.runs.execute", page, filled, "-y", yaml_io.line(values),
            "--no-progress-bar", "--cwd", str(source.parent)]  # fmt: skip


@contextmanager
def alone(notebook: Path) -> Iterator[None]:
    """Hold the lock file beside a notebook; it is gone afterwards. Who dies gives it back."""
    make_folder(notebook.parent)
    path = lock_of(notebook)
    while True:
        lock = _inherited(path)
        if not _locked(path, lock) or _is_at(path, lock):
            break
        lock.close()  # its last holder has just removed the file
    with lock:
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def _locked(path: Path, lock: IO) -> bool:
    """Wait for a lock; False, and a warning, where the drive has none, as some mounted ones: the run goes on."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
    except OSError as error:
        print(f"{path} cannot be locked ({error.strerror}): start no second batch on its runs.", file=sys.stderr)
        return False
    return True


def _is_at(path: Path, file: IO) -> bool:
    """Whether an open file is the one that lies at a path."""
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def lock_of(notebook: Path) -> Path:
    """Where the lock of a run lies: in the folder of executed notebooks, which all machines of a batch share."""
    return notebook.with_suffix(".lock")


@contextmanager
def one_gpu(count: int, pause: float = 1.0) -> Iterator[dict[str, str]]:
    """The environment for a job that owns one of `count` GPUs of this machine: a lock file per device.

    A batch engine only counts GPUs; this says which, and waits while all are taken. Of GPUs that the caller's
    CUDA_VISIBLE_DEVICES lists, only these are used. Under Slurm (count 0) the device is set already.
    """
    if count < 0:
        raise ConfigError(f"{count} GPUs to share out: give their number, or 0 where something else assigns them.")
    if count == 0:
        yield dict(os.environ)
        return
    devices = visible_devices(count)
    while (taken := _take(devices)) is None:
        time.sleep(pause)
    device, lock = taken
    with lock:  # closing it gives the device back, as does the death of this process
        yield {**os.environ, "CUDA_VISIBLE_DEVICES": device}


def visible_devices(count: int) -> list[str]:
    """The first `count` GPUs that CUDA_VISIBLE_DEVICES lists; their numbers where it is not set.

    ConfigError for a list that is empty or names something that is no GPU.
    """
    listed = os.environ.get("CUDA_VISIBLE_DEVICES")
    if listed is None:
        return [str(i) for i in range(count)]
    devices = list(dict.fromkeys(d.strip() for d in listed.split(",")))
    if odd := [d for d in devices if not GPU.fullmatch(d)]:
        raise ConfigError(
            f"CUDA_VISIBLE_DEVICES names {odd[0]!r}, which is no GPU: give numbers or UUIDs with commas between them, "
            "or unset it."
        )
    return devices[:count]


def _take(devices: Sequence[str]) -> tuple[str, IO] | None:
    """The first device that nobody holds, with its lock. Locks lie beside the devices: on this machine alone."""
    folder = own_folder(Path(tempfile.gettempdir()) / f"gift-gpus-{os.getuid()}")
    for device in devices:
        lock = _inherited(folder / device.replace("/", "_"))  # an instance of a GPU may have slashes in its name
        if locks(lock):
            return device, lock
        lock.close()
    return None


def own_folder(path: Path) -> Path:
    """A folder that nobody else can enter, made where there is none: in a place like /tmp anybody may make it first."""
    try:
        path.mkdir(mode=0o700, exist_ok=True)
        found = path.lstat()
        if stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid():
            path.chmod(0o700)
            return path
    except OSError as error:
        raise DataError(f"cannot make the folder {path}: {error.strerror}. Set TMPDIR to a folder of yours.") from error
    raise DataError(f"{path} is another user's or a link: nothing is locked there. Set TMPDIR to a folder of yours.")


def _inherited(path: Path) -> IO:
    """A file to lock, open in child processes too. No link is followed, no content touched. The caller closes it."""
    try:
        file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666), "r+")
    except OSError as error:
        raise DataError(
            f"cannot lock {path}: {error.strerror}. Choose a folder that you may write to, or remove what lies there."
        ) from error
    os.set_inheritable(file.fileno(), True)
    return file


def is_record(path: Path) -> bool:
    """Whether a record is there, and whole; DataError for one that only lacks its seal, which no run should replace."""
    from gift_lib import results

    if not path.exists():
        return False
    try:
        results.read(path)
    except results.Unsealed:
        raise
    except GiftError as error:
        print(f"{error}", file=sys.stderr)
        return False
    return True


def put_aside(record: Path) -> None:
    """Give a broken record another name, so that its run is made again: it may be all that is left of another run."""
    print(f"It is kept as {record.name}.broken, and its run is made again.", file=sys.stderr)
    os.replace(record, f"{record}.broken")


def parser() -> argparse.ArgumentParser:
    """`python -m gift_lib.runs.jobs PARAMETERS --notebook N --output RECORD`, as the Snakefile calls it."""
    parser = argparse.ArgumentParser(prog="python -m gift_lib.runs.jobs", description=__doc__)
    parser.add_argument("parameters", type=json.loads, help="of notebooks/experiment.ipynb, as JSON")
    parser.add_argument("--gpus", type=at_least(0), default=0, help="how many this machine shares out")
    parser.add_argument("--notebook", type=expanded, required=True, help="the executed notebook")
    parser.add_argument("--output", type=expanded, required=True, help="the record that the run is to leave")
    return parser


def _check(values: Any) -> None:
    """Refuse what is no run, and a device that is not there, before the kernel starts. A CPU's run needs no torch."""
    if not isinstance(values, dict):
        raise ConfigError(f"a run's parameters are JSON with method, order, seed and so on, not {values!r}.")
    if values.get("device", "cpu") != "cpu":
        from gift_lib.device import find_device

        find_device(values["device"])


def main(arguments: Sequence[str] | None = None) -> int:
    """One run, or the rest of it; a GiftError is one line and exit status 2."""
    args = parser().parse_args(arguments)
    try:
        _check(args.parameters)
        return run(args.parameters, args.gpus, args.notebook, args.output)
    except GiftError as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
