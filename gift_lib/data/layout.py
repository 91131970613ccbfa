"""Which split and which class the pictures of one's own folder belong to, read from names alone.

What is guessed is noted; what contradicts itself is a DataError.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from gift_lib.data import tree
from gift_lib.data.names_file import class_names, natural
from gift_lib.data.own import OwnFiles
from gift_lib.data.records import SPLIT_SEED, TRAIN_SHARE, Records
from gift_lib.data.tree import Left, shown
from gift_lib.errors import DataError
from gift_lib.tasks import SPLITS

#: `train`, `Train`, `train_images`, `train2017`, `valid`, `validation`, `test set`, ...
_SPLIT = re.compile(
    r"(?:\d+[-_. ]*)?(?:(train|training|trn)|(val|valid|validation|dev)|(test|testing|tst))"
    r"(?:[-_. ]*(?:sets?|split|data|images?|imgs?|\d+))*",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Layout:
    """An image folder as a task: its classes, and the pictures of each split that it has."""

    root: Path
    folders: tuple[str, ...]
    classes: tuple[str, ...]
    records: dict[str, Records]
    notes: tuple[str, ...]

    def counts(self, split: str) -> list[int]:
        """How many pictures each class has in a split."""
        found = Counter(self.records[split].labels if split in self.records else ())
        return [found[i] for i in range(len(self.classes))]

    def __str__(self) -> str:
        """One line: classes, pictures, and everything that was guessed or left out."""
        sizes = [f"{len(self.records[s])} {s}" for s in SPLITS if s in self.records]
        return "; ".join(
            [f"{shown(self.root)}: {len(self.classes)} classes, {' and '.join(sizes)} pictures", *self.notes]
        )


def read(path: Path, classes_file: Path | None = None) -> Layout:
    """The layout of the folder at `path`; no picture is opened.

    Raises DataError for a folder without classes or pictures, for one whose splits and classes cannot be told apart,
    and for a list of names that does not fit it.
    """
    left = Left()
    splits = split_folders(path)
    base = splits.get("train", path)
    folders = class_folders(base, left)
    classes, notes = class_names(path, folders, classes_file)
    if splits:
        found = {s: _of_split(where, s, folders, left) for s, where in splits.items()}
        notes += _called(splits)
    else:
        found = _drawn(_whole(path, folders, left))
        notes.append(f"train and test are drawn: {TRAIN_SHARE:.0%} and the rest of each class, with seed {SPLIT_SEED}")
    layout = Layout(path, tuple(folders), classes, found, ())
    notes += [*_rare(layout), *_twice(layout), *([f"left out: {left}"] if left.by_reason else [])]
    return Layout(path, tuple(folders), classes, found, tuple(notes))


# --- splits -------------------------------------------------------------------------------------------------------


def split_of(name: str) -> str | None:
    """The split that a folder's name means, in whatever usual spelling."""
    found = _SPLIT.fullmatch(name)
    return next(s for s, said in zip(SPLITS, found.groups(), strict=True) if said) if found else None


def split_folders(path: Path) -> dict[str, Path]:
    """The folders of the splits, {} where there are only class folders."""
    if not path.is_dir():
        raise DataError(f"{shown(path)} is no folder. Give a folder with one subfolder of images per class.")
    names = tree.subfolders(path)
    named = [(split_of(n), n) for n in names if split_of(n)]
    kinds = {s for s, _ in named}
    others = [n for n in names if not split_of(n) and tree.images_in(path / n)]
    if len(kinds) < 2:
        _refuse_hidden_splits(path, names, [n for _, n in named])
        return {}
    if len(named) > len(kinds):
        two = next(s for s in kinds if [k for k, _ in named].count(s) > 1)
        raise DataError(f"{shown(path)} has two folders for {two}: {_both(named, two)}. Merge them, or move one away.")
    if others:
        raise DataError(
            f"{shown(path)} has the splits {', '.join(n for _, n in named)} beside the folder {shown(others[0])!r} of "
            "pictures. Put every class into the splits, or rename the folders that are no splits."
        )
    if "train" not in kinds:
        raise DataError(f"{shown(path)} has {' and '.join(n for _, n in named)} but no train. Add the folder train.")
    return {s: path / n for s, n in sorted(named, key=lambda pair: SPLITS.index(pair[0]))}


def _both(named: list[tuple[str, str]], split: str) -> str:
    return " and ".join(n for s, n in named if s == split)


def _refuse_hidden_splits(path: Path, names: list[str], splits: list[str]) -> None:
    """DataError where subfolders are splits all the same: inside each class, alone, or beside one of another name."""
    inside = {n: tree.subfolders(path / n) for n in names}
    for n, subs in inside.items():
        kinds = {split_of(s) for s in subs} - {None}
        if len(kinds) > 1 and len(names) > 1:
            raise DataError(
                f"{shown(path / n)} has train and test inside a class. Put the splits above: train/{shown(n)}, "
                f"test/{shown(n)}."
            )
    for n in splits:
        same = next((m for m in names if m != n and set(inside[m]) & set(inside[n])), None)
        if same or (len(names) == 1 and inside[n]):
            raise DataError(
                f"{shown(path / n)} looks like a split{f' beside {shown(same)}' if same else ' alone'}. Call the "
                f"splits train, val and test, or give {shown(path / n)} itself to have train and test drawn from it."
            )


def _called(splits: dict[str, Path]) -> list[str]:
    odd = [f"{p.name} is {s}" for s, p in splits.items() if p.name != s]
    return ["of its folders " + ", ".join(odd)] if odd else []


# --- classes ------------------------------------------------------------------------------------------------------


def class_folders(base: Path, left: Left) -> list[str]:
    """The class folders in natural order: 0, 1, 2, ..., 10."""
    folders = sorted(tree.subfolders(base, left), key=natural)
    if len(folders) < 2:
        nested = folders and tree.subfolders(base / folders[0])
        hint = f" Did you mean {shown(base / folders[0])}?" if nested else ""
        raise DataError(
            f"{shown(base)} has {len(folders)} subfolders. "
            f"Give it one subfolder of images per class, at least two.{hint}"
        )
    for name in folders:
        if shown(name) != name:
            raise DataError(
                f"{shown(base / name)} has a name that is no UTF-8, so that it cannot be a class name. Rename it."
            )
    return folders


def _of_split(base: Path, split: str, folders: Sequence[str], left: Left) -> Records:
    """The pictures of a split in a folder of its own."""
    unknown = sorted(set(tree.subfolders(base)) - set(folders))
    if unknown:
        raise DataError(f"{base} has the class folder {shown(unknown[0])!r} that train lacks. Rename or remove it.")
    found = _pictures(base, [f for f in folders if (base / f).is_dir()], folders, left)
    return _every_class(found, base, folders) if split == "train" else found


def _whole(path: Path, folders: Sequence[str], left: Left) -> Records:
    return _every_class(_pictures(path, folders, folders, left), path, folders)


def _pictures(base: Path, there: Sequence[str], folders: Sequence[str], left: Left) -> Records:
    """All pictures in class folders, class after class; those outside are left out."""
    label = {f: i for i, f in enumerate(folders)}
    pairs = [(f"{f}/{p}", label[f]) for f in there for p in tree.images_in(base / f, left)]
    for entry in tree.listed(base):
        if not tree.is_folder(entry) and entry.name != "classes.txt":
            left.add(tree.LEFT_ABOUT if tree.is_junk(entry.name) else "in no class folder", entry.path)
    return Records(OwnFiles(base, [p for p, _ in pairs]), [i for _, i in pairs])


def _every_class(found: Records, base: Path, folders: Sequence[str]) -> Records:
    """The records, if some are of each class (or there are none at all, which is told when they are asked for)."""
    empty = sorted(set(range(len(folders))) - set(found.labels))
    if len(found) and empty:
        raise DataError(f"{base / folders[empty[0]]} has no images. Put some there, or remove the folder.")
    return found


# --- the drawn split, and what is odd about any -------------------------------------------------------------------


def _drawn(whole: Records) -> dict[str, Records]:
    """Train and test, drawn class by class so that each class of two pictures or more is in both."""
    generator, test = torch.Generator().manual_seed(SPLIT_SEED), set()
    labels = torch.tensor(list(whole.labels), dtype=torch.int64)
    for label in labels.unique().tolist():
        members = (labels == label).nonzero()[:, 0]
        n = len(members)
        k = min(max(round((1 - TRAIN_SHARE) * n), 1), n - 1)
        test.update(members[torch.randperm(n, generator=generator)[:k]].tolist())
    index = range(len(whole))
    return {"train": whole.subset([i for i in index if i not in test]), "test": whole.subset(sorted(test))}


def _rare(layout: Layout) -> list[str]:
    """Classes that no test picture shows (each has training pictures, or the folder was refused)."""
    if not len(layout.records.get("test", ())):
        return []
    lacking = [c for c, n in zip(layout.classes, layout.counts("test"), strict=True) if not n]
    few = f"{', '.join(lacking[: tree.NAMED])}{', ...' if len(lacking) > tree.NAMED else ''}"
    return [f"{len(lacking)} classes have no test picture ({few})"] if lacking else []


def _twice(layout: Layout) -> list[str]:
    """Files that stand under two classes, or in train and in another split, by links."""
    labels: dict[tuple[int, int], set] = {}
    for split, found in layout.records.items():
        for i, label in enumerate(found.labels):
            stat = stat_of(found, i)
            labels.setdefault((stat.st_dev, stat.st_ino), set()).add((split, label))
    classes = sum(len({c for _, c in places}) > 1 for places in labels.values())
    splits = sum(len({s for s, _ in places}) > 1 for places in labels.values())
    notes = [f"{classes} files stand under two classes, by links"] if classes else []
    return notes + ([f"{splits} files stand in two splits, by links"] if splits else [])


def stat_of(found: Records, i: int):
    """The file of a picture as the disk has it."""
    pictures = found.pictures
    while hasattr(pictures, "pictures"):
        pictures, i = pictures.pictures, pictures.index[i]
    return pictures.stat(i)
