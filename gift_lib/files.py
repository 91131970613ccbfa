"""Files that are whole or absent, and digests that name what made them."""

import contextlib
import fcntl
import glob
import hashlib
import json
import os
import socket
import threading
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from safetensors import SafetensorError

from gift_lib.errors import ConfigError, DataError

_HOST = socket.gethostname().replace(".", "-")


def canonical_json(value: Any) -> str:
    """`value` as JSON with sorted keys and no spaces: equal values give equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(value: Any, length: int = 16) -> str:
    """The first `length` hex digits of the SHA-256 of a JSON-able value (or of bytes as they are)."""
    data = value if isinstance(value, bytes) else canonical_json(value).encode()
    return hashlib.sha256(data).hexdigest()[:length]


def file_digest(path: str | os.PathLike, length: int = 16) -> str:
    """The first `length` hex digits of a file's SHA-256."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:length]


def make_folder(path: str | os.PathLike) -> Path:
    """Create a folder and its parents; a DataError where that is impossible."""
    path = expanded(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(
            f"cannot make the folder {path}: {error.strerror}. Choose a folder that you may write to."
        ) from error
    return path


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it is renamed onto `path`, else removed.

    A reader sees the old file or the new one, never a part. A full disk, or a place that cannot be written, is a
    DataError, whatever library writes, and leaves the old file as it was.
    """
    path = expanded(path)
    make_folder(path.parent)
    temporary = path.with_name(f".{path.name}.{_HOST}.{os.getpid()}.{threading.get_ident()}.tmp")
    try:
        sweep_temporary(path)
        yield temporary
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except (OSError, SafetensorError) as error:
        raise DataError(
            f"cannot write {path}: {getattr(error, 'strerror', None) or error}. "
            "Free space on the disk or choose another folder, then run the same command again: "
            "it goes on where it stopped."
        ) from error
    finally:
        with contextlib.suppress(OSError):  # where nothing can be written nothing was
            temporary.unlink(missing_ok=True)


def check_writable(folder: str | os.PathLike) -> None:
    """Make a folder and try to write there, before hours of work; DataError where that is impossible."""
    place = expanded(folder) / ".writable"
    with atomic_write(place) as temporary:
        temporary.write_bytes(b"1")
    place.unlink(missing_ok=True)


def sweep_temporary(path: Path) -> None:
    """Remove what killed writers of `path` on this machine left behind; living writers keep theirs."""
    for stale in path.parent.glob(f".{glob.escape(path.name)}.{_HOST}.*.*.tmp"):
        if not _alive(int(stale.name.split(".")[-3])):
            stale.unlink(missing_ok=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def read_lines(path: Path) -> list[dict[str, Any]]:
    """A log of a JSON object per line, the oldest first; none where there is no file. DataError for a broken line."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    try:
        return [json.loads(line) for line in text.splitlines()]
    except json.JSONDecodeError as error:
        raise DataError(f"{path} holds a line that is no JSON ({error}): restore it.") from None


def write_lines(path: Path, lines: Iterable[Mapping[str, Any]]) -> None:
    """The reverse of `read_lines`, in one step."""
    with atomic_write(path) as temporary:
        temporary.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")


def write_json(path: str | os.PathLike, value: Any) -> None:
    """Write `value` as indented JSON with sorted keys, atomically. NaN is refused."""
    text = json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def read_json(path: str | os.PathLike) -> Any:
    """Read a JSON file; a DataError where it is missing or broken."""
    try:
        return json.loads(expanded(path).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist.") from error
    except (ValueError, OSError, RecursionError) as error:
        raise DataError(f"{path} cannot be read as JSON ({error}). Delete it and make it again.") from error


def refuse_code(folder: str | os.PathLike) -> None:
    """DataError where a configuration in a model's folder names code of its own: nothing found there is executed."""
    for path in sorted(Path(folder).glob("*config.json")):
        content = read_json(path) if not path.name.startswith("._") else None  # what a Mac leaves beside a file
        if isinstance(content, dict) and (named := sorted(content.keys() & {"auto_map", "custom_pipelines"})):
            raise DataError(
                f"{path} asks to run code of its own ({', '.join(named)}), which this library never does. Use a model "
                "that needs none, or take the entry out if the library's own classes read the rest."
            )


def locks(file: IO) -> bool:
    """Lock an open file unless another process has; whether it is ours now."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def held(path: Path) -> bool:
    """Whether a process holds a lock file; False where there is none, and on a drive without locks."""
    try:
        with open(path, "r+") as file:  # NFS locks only what is open for writing
            return not locks(file)
    except OSError:
        return False


def expanded(path: str | os.PathLike) -> Path:
    """A path with `~` and `~user` put in; ConfigError where nobody knows that home folder."""
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise ConfigError(f"{path}: there is no such home folder. Give the whole path, or set HOME.") from error


def cache_root() -> Path:
    """Where every cache lives: the folder in GIFT_CACHE, else `~/.cache/gift`."""
    return expanded(os.environ.get("GIFT_CACHE") or "~/.cache/gift")
