"""Any folder of images as a task: one subfolder per class, with or without `train` and `test`.

    my_birds/train/house_sparrow/1.jpg        or        my_birds/house_sparrow/1.jpg
    my_birds/test/house_sparrow/7.jpg                   (then 80 % train and 20 % test, drawn with seed 42)
    my_birds/classes.txt                                optional: "house_sparrow<TAB>House Sparrow" a line

Class names are the folder names with spaces for underscores, unless `classes.txt` says otherwise; a line
of it may also be a name alone, for the folders in alphabetical order.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from gift_lib.data import cache, readers
from gift_lib.data.records import Records, split_indices
from gift_lib.errors import ConfigError, DataError
from gift_lib.files import digest, expanded
from gift_lib.tasks import SPLITS, Split, Task

SIZE = 224


def task(
    path: str | os.PathLike,
    name: str = "",
    templates: Sequence[str] = ("a photo of a {c}.",),
    classes_file: str | os.PathLike | None = None,
    cache_dir: str | os.PathLike | None = None,
    size: int = SIZE,
    progress: bool = True,
) -> Task:
    """The image folder at `path` as a task called `name` (the folder's name unless given).

    Raises DataError for a folder without classes or images and a list of names that does not fit it,
    ConfigError for a template without {c}.
    """
    path = expanded(path)
    odd = [t for t in templates if t.count("{c}") != 1]
    if odd or not templates:
        raise ConfigError(f"{(odd or ['no template'])[0]!r} must hold {{c}} once, where the class name goes.")
    folders = class_folders(path)
    classes = class_names(path, folders, classes_file)

    def open_split(split: str) -> Split:
        return _open(path, split, folders, cache_dir, size, progress)

    return Task(name or path.resolve().name, classes, tuple(templates), open_split, stands_for=name or path.name)


def has_splits(path: Path) -> bool:
    return (path / "train").is_dir() and any((path / s).is_dir() for s in ("val", "test"))


def class_folders(path: Path) -> list[str]:
    """The class folders, sorted: those of `train` where there are splits."""
    base = path / "train" if has_splits(path) else path
    if not base.is_dir():
        raise DataError(f"{base} is no folder. Give a folder with one subfolder of images per class.")
    folders = readers.subfolders(base)
    if len(folders) < 2:
        raise DataError(
            f"{base} has {len(folders)} subfolders. Give it one subfolder of images per class, at least two."
        )
    return folders


def class_names(path: Path, folders: list[str], classes_file: str | os.PathLike | None = None) -> tuple[str, ...]:
    """The class names in the order of `folders`."""
    file = Path(classes_file) if classes_file else path / "classes.txt"
    if not file.exists() and not classes_file:
        names = tuple(readers.spaced(f) for f in folders)
    else:
        names = _listed(file, folders)
    if len(set(names)) < len(names):
        raise DataError(f"{file if file.exists() else path} gives two classes one name. Give each its own.")
    return names


def _listed(file: Path, folders: list[str]) -> tuple[str, ...]:
    rows = [line.split("\t") for line in readers.lines(file)]
    if all(len(r) == 2 for r in rows):
        named = {folder.strip(): name.strip() for folder, name in rows}
        absent = sorted(set(folders) - set(named))
        if absent:
            raise DataError(f"{file} has no line for the folder {absent[0]!r}. Add `{absent[0]}<TAB>its name`.")
        return tuple(named[f] for f in folders)
    if len(rows) != len(folders) or any(len(r) != 1 for r in rows):
        raise DataError(
            f"{file} has {len(rows)} lines for {len(folders)} class folders. "
            "Give one name a line in the folders' alphabetical order, or `folder<TAB>name`."
        )
    return tuple(r[0].strip() for r in rows)


def records(path: Path, split: str, folders: list[str]) -> Records:
    """The pictures of a split: those of its folder, else of the random 80/20 split."""
    labels = {f: i for i, f in enumerate(folders)}
    if not has_splits(path):
        if split == "val":
            raise DataError(f"{path} has no folder `val`. Make `train`, `val` and `test`, or use train or test.")
        whole = _every_class(readers.in_folders(path, labels), path, folders)
        return _filled(whole.subset(split_indices(len(whole))[split]), path, split)
    base = path / split
    if not base.is_dir():
        raise DataError(f"{base} does not exist. Make it with one subfolder per class, or use another split.")
    unknown = sorted(set(readers.subfolders(base)) - set(folders))
    if unknown:
        raise DataError(f"{base} has the class folder {unknown[0]!r} that train lacks. Rename or remove it.")
    found = _filled(readers.in_folders(base, labels), base, split)
    return _every_class(found, base, folders) if split == "train" else found


def _every_class(found: Records, path: Path, folders: list[str]) -> Records:
    """The records, if some are of each class (or there are none at all, which `_filled` tells)."""
    empty = sorted(set(range(len(folders))) - set(found.labels))
    if len(found) and empty:
        raise DataError(f"{path / folders[empty[0]]} has no images. Put some there, or remove the folder.")
    return found


def _filled(found: Records, path: Path, split: str) -> Records:
    if not len(found):
        raise DataError(f"{path} has no images for {split}. Put images of the types {readers.IMAGE_SUFFIXES} there.")
    return found


def _open(
    path: Path, split: str, folders: list[str], cache_dir: str | os.PathLike | None, size: int, progress: bool
) -> Split:
    if split not in SPLITS:
        raise ConfigError(f"there is no split {split!r}; valid are {SPLITS}.")
    found = records(path, split, folders)
    key = digest([str(path.resolve()), found.digest, _stamp(found)], 8)
    folder = cache.images_root(cache_dir) / path.resolve().name / f"{split}-{size}-{key}"
    if not cache.stored(folder):
        cache.announce(found, folder, size, progress=progress)
        cache.build(found, folder, size, progress=progress)
    return cache.Stored(folder).open()


def _stamp(found: Records) -> list[list[int]]:
    """Length and time of change of every file: a picture that is replaced is decoded again."""
    pictures = found.pictures
    while hasattr(pictures, "pictures"):
        pictures = pictures.pictures
    stats = [(pictures.root / p).stat() for p in pictures.paths]
    return [[s.st_size, s.st_mtime_ns] for s in stats]
