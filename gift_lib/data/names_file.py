"""Class names of one's own pictures: the folders' names, or those of a list beside them."""

import re
from collections.abc import Sequence
from pathlib import Path

from gift_lib.data import readers
from gift_lib.data.tree import shown
from gift_lib.errors import DataError

UTF8 = "Save it as text in UTF-8: a name a line, or `folder<TAB>name`."


def natural(name: str) -> tuple:
    """A key that sorts as people count: 2 before 10, a before B."""
    parts = re.split("([0-9]+)", name.casefold())
    return [(part, 0) if i % 2 == 0 else ("", int(part)) for i, part in enumerate(parts)], name


def class_names(
    path: Path, folders: Sequence[str], classes_file: Path | None = None
) -> tuple[tuple[str, ...], list[str]]:
    """The class names in the order of `folders`, and a note where they were guessed.

    Raises DataError for a list that does not fit the folders and for names that CLIP reads as one.
    """
    file = classes_file or path / "classes.txt"
    if not file.exists() and not classes_file:
        names, notes = [_tidy(f.replace("_", " ")) for f in folders], []
    else:
        names, notes = _listed(file, folders)
    where = file if file.exists() else path
    first: dict[str, str] = {}
    for folder, name in zip(folders, names, strict=True):
        if not name:
            raise DataError(f"{shown(where)} gives the folder {folder!r} no name. Give it one.")
        other = first.setdefault(name.casefold(), folder)
        if other != folder:
            raise DataError(
                f"{shown(where)} gives two classes one name: {other!r} and {folder!r} are both {name!r} to CLIP, "
                "which reads no capitals. Give each its own."
            )
    return tuple(names), notes


def _tidy(name: str) -> str:
    """Without byte order marks and spaces too many."""
    return " ".join(name.replace("\ufeff", "").split())


def _listed(file: Path, folders: Sequence[str]) -> tuple[list[str], list[str]]:
    if not file.is_file():
        raise DataError(f"{shown(file)} does not exist, or is no file. Give a list of class names.")
    rows = readers.lines(file, UTF8)
    tabbed = [("\t" in row) for row in rows]
    if all(tabbed):
        return _by_folder(file, [row.split("\t") for row in rows], folders), []
    if any(tabbed):
        odd = rows[tabbed.index(False)]
        raise DataError(f"{shown(file)}: {odd!r} has no tab, other lines have. Write `folder<TAB>name` in each.")
    _refuse_other_separators(file, rows, folders)
    return _alone(file, [_tidy(row) for row in rows], folders)


def _by_folder(file: Path, rows: list[list[str]], folders: Sequence[str]) -> list[str]:
    named: dict[str, str] = {}
    for row in rows:
        folder = row[0].replace("\ufeff", "").strip()
        if len(row) != 2 or folder not in folders or folder in named:
            why = (
                f"has {len(row)} columns" if len(row) != 2
                else "names no folder of these pictures" if folder not in folders
                else "names its folder a second time"
            )  # fmt: skip
            raise DataError(f"{shown(file)}: the line {'<TAB>'.join(row)!r} {why}. Write `folder<TAB>name`, once each.")
        named[folder] = _tidy(row[1])
    absent = [f for f in folders if f not in named]
    if absent:
        raise DataError(f"{shown(file)} has no line for the folder {absent[0]!r}. Add `{absent[0]}<TAB>its name`.")
    return [named[f] for f in folders]


def _refuse_other_separators(file: Path, rows: list[str], folders: Sequence[str]) -> None:
    """DataError where a line begins with a folder and a comma, semicolon, colon, bar, equals sign or spaces."""
    heads = [re.match(r"(.*?)(?:\s*[,;:|=]\s*|\s{2,})\S", row) for row in rows]
    odd = next((r for r, h in zip(rows, heads, strict=True) if h and h[1] in folders), None)
    words = [row.split(" ", 1)[0] for row in rows if " " in row]
    if odd is None and sorted(words) == sorted(folders):
        odd = rows[0]
    if odd is not None:
        raise DataError(
            f"{shown(file)}: {odd!r} begins with a folder but has no tab after it. Write `folder<TAB>name`."
        )


def _alone(file: Path, names: list[str], folders: Sequence[str]) -> tuple[list[str], list[str]]:
    """Names without folders: by the folders' own names where they are the same, else in the folders' order."""
    if len(names) != len(folders):
        raise DataError(
            f"{shown(file)} has {len(names)} lines for {len(folders)} class folders. "
            "Give one name a line in the folders' order, or `folder<TAB>name`."
        )
    known, called = {_plain(f): f for f in folders}, {_plain(n): n for n in names}
    same = known.keys() & called.keys()
    if len(same) == len(folders):
        return [called[_plain(f)] for f in folders], []
    moved = [f for f, n in zip(folders, names, strict=True) if _plain(f) in same and _plain(f) != _plain(n)]
    if moved:
        raise DataError(
            f"{shown(file)} names {moved[0]!r} in the line of another folder. Write `folder<TAB>name` in each line."
        )
    order = f"{folders[0]}, {folders[1]}, ..., {folders[-1]}" if len(folders) > 3 else ", ".join(folders)
    return names, [f"names without folders go to the folders in this order: {order}"]


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.casefold())
