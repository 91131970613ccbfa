"""Any folder of images as a task: one subfolder per class, with or without `train` and `test`.

    my_birds/train/house_sparrow/1.jpg        or        my_birds/house_sparrow/1.jpg
    my_birds/test/house_sparrow/7.jpg                   (then 80 % train, 20 % test of each class, seed 42)
    my_birds/classes.txt                                optional: "house_sparrow<TAB>House Sparrow" a line

Class names are the folder names with spaces for underscores, unless `classes.txt` says otherwise; a line of it may also
be a name alone, for the folders in natural order. `python -m gift_lib.data look my_birds` shows what comes of it.
"""

import os
from collections.abc import Sequence

from gift_lib.data import cache, decode, layout
from gift_lib.data.layout import Layout, stat_of
from gift_lib.data.records import Records
from gift_lib.data.tree import IMAGE_SUFFIXES, shown
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

    What was guessed or left out is printed in one line. Raises DataError for a folder that cannot be a task,
    ConfigError for a template without {c}.
    """
    path = expanded(path)
    odd = [t for t in templates if t.count("{c}") != 1]
    if odd or not templates:
        raise ConfigError(f"{(odd or ['no template'])[0]!r} must hold {{c}} once, where the class name goes.")
    found = layout.read(path, expanded(classes_file) if classes_file else None)
    name = name or shown(path.resolve().name)
    if progress:
        print(found, flush=True)

    def open_split(split: str) -> Split:
        return _open(found, split, cache_dir, size, progress)

    return Task(name, found.classes, tuple(templates), open_split, stands_for=name)


def records(found: Layout, split: str) -> Records:
    """The pictures of a split; a DataError where there are none."""
    if split not in SPLITS:
        raise ConfigError(f"there is no split {split!r}; valid are {SPLITS}.")
    if split not in found.records:
        raise DataError(
            f"{shown(found.root)} has no folder `{split}`. Make it with one subfolder per class, or use another split."
        )
    if not len(found.records[split]):
        raise DataError(
            f"{shown(found.root)} has no images for {split}. Put images of the types {', '.join(IMAGE_SUFFIXES)} there."
        )
    return found.records[split]


def _open(found: Layout, split: str, cache_dir: str | os.PathLike | None, size: int, progress: bool) -> Split:
    pictures = records(found, split)
    root = found.root.resolve()
    key = digest([os.fsencode(root).hex(), pictures.digest, _stamp(pictures), cache.VERSION], 8)
    folder = cache.images_root(cache_dir) / shown(root.name) / f"{split}-{size}-{key}"
    stored = decode.once(folder, lambda: pictures, size, progress=progress)
    if progress and stored.changes:
        print(f"{shown(root.name)}/{split}: {len(pictures)} pictures, {stored.changes}.", flush=True)
    return stored.open(lambda: pictures)


def _stamp(found: Records) -> list[list[int]]:
    """Length and time of change of every file: a picture that is replaced is decoded again."""
    stats = [stat_of(found, i) for i in range(len(found))]
    return [[s.st_size, s.st_mtime_ns] for s in stats]
