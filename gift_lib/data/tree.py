"""What lies below a folder of pictures: image files, and what is left out, by reason.

Links are followed, but never back to a folder around them and never twice to one folder. What computers leave about
(`._x.jpg`, `@eaDir`, `__MACOSX`, `Thumbs.db`) is no picture and no class.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from gift_lib.errors import DataError

IMAGE_SUFFIXES = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".webp", ".avif", ".bmp", ".dib", ".tif", ".tiff", ".jp2",
    ".ppm", ".pgm", ".pbm", ".pnm",
)  # fmt: skip
#: What macOS, Windows, network drives, archives and Python leave in folders; names with a dot before are hidden anyway.
JUNK = re.compile(
    r"\..*|@.*|~\$.*|\$recycle\.bin|#recycle|__macosx|__pycache__|ehthumbs(_vista)?\.db|thumbs\.db|desktop\.ini|"
    r"icon\r|lost\+found|system volume information|recycler|network trash folder|temporary items",
    re.IGNORECASE,
)
LEFT_ABOUT = "that computers leave about"
#: How many of a reason's paths are named.
NAMED = 3


def is_junk(name: str) -> bool:
    return JUNK.fullmatch(name) is not None


def shown(name: str | os.PathLike) -> str:
    """A name as it can be printed: bytes that are no UTF-8 as escapes."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


@dataclass
class Left:
    """Paths that are left out, by reason."""

    by_reason: dict[str, list[str]] = field(default_factory=dict)

    def add(self, reason: str, path: str | os.PathLike) -> None:
        self.by_reason.setdefault(reason, []).append(shown(path))

    def __str__(self) -> str:
        """'2 that computers leave about (a/._x.jpg, @eaDir), 1 .heic (b/x.heic)'; '' where nothing is left out."""
        return ", ".join(f"{len(p)} {reason} ({_some(p)})" for reason, p in self.by_reason.items())


def _some(paths: list[str]) -> str:
    return ", ".join(paths[:NAMED]) + (", ..." if len(paths) > NAMED else "")


def listed(folder: Path) -> list[os.DirEntry]:
    """What is in a folder, sorted by name; a DataError where it cannot be read."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda e: e.name)
    except OSError as error:
        raise DataError(
            f"{shown(folder)} cannot be read ({error.strerror}). Check that it is a folder of yours."
        ) from None


def is_folder(entry: os.DirEntry) -> bool:
    """Whether an entry is a folder or a link to one; a link in a circle is none."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def subfolders(folder: Path, left: Left | None = None) -> list[str]:
    """The names of the subfolders, sorted; those that computers leave about are left out."""
    names = []
    for entry in listed(folder):
        if is_folder(entry):
            if is_junk(entry.name):
                (left or Left()).add(LEFT_ABOUT, entry.path)
            else:
                names.append(entry.name)
    return names


def images_in(folder: Path, left: Left | None = None) -> list[str]:
    """Paths of the image files below `folder`, relative to it, sorted folder by folder as torchvision does.

    What is no picture goes to `left`. Raises DataError for a picture that is none: a link that leads nowhere, a pipe.
    """
    found = list(_walk(folder, "", {_identity(folder)}, left if left is not None else Left()))
    return sorted(found, key=lambda p: p.rpartition("/")[::2])


def _walk(folder: Path, inside: str, seen: set[tuple[int, int]], left: Left) -> Iterator[str]:
    for entry in listed(folder):
        if is_junk(entry.name):
            left.add(LEFT_ABOUT, entry.path)
        elif is_folder(entry):
            here = _identity(Path(entry.path))
            if here in seen:
                left.add("links to a folder that is read already", entry.path)
            else:
                seen.add(here)
                yield from _walk(Path(entry.path), f"{inside}{entry.name}/", seen, left)
        elif _is_picture(entry):
            yield inside + entry.name
        else:
            left.add(Path(entry.name).suffix.lower() or "without a suffix", entry.path)


def _identity(folder: Path) -> tuple[int, int]:
    stat = folder.stat()
    return stat.st_dev, stat.st_ino


def _is_picture(entry: os.DirEntry) -> bool:
    suffix = Path(entry.name).suffix.lower()
    try:
        there = entry.is_file()
    except OSError:
        there = False
    if not there and entry.is_symlink() and suffix in ("", *IMAGE_SUFFIXES):
        raise DataError(
            f"{shown(entry.path)} is a link to {shown(os.readlink(entry.path))}, which is not there. "
            "Delete the link, or bring back what it leads to."
        )
    if not there and suffix in IMAGE_SUFFIXES:
        raise DataError(f"{shown(entry.path)} is called a picture but is no file. Delete it or move it away.")
    return there and suffix in IMAGE_SUFFIXES
