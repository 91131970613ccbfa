"""Public data outside all tasks, for methods that ask for it: pictures, their prompts, captions without pictures."""

import os
import random
import re
from pathlib import PurePosixPath

from open_clip.zero_shot_metadata import IMAGENET_CLASSNAMES

from gift_lib.data import cache, decode, readers, tree
from gift_lib.data.mtil import SIZE, data_root
from gift_lib.data.records import from_files
from gift_lib.errors import DataError
from gift_lib.tasks import Images, fill

#: The template of the reference prompts, as of C0's.
TEMPLATE = "a photo of a {c}."
#: A folder of ImageNet, named by the number of a synset; their sorted order is that of C0.
SYNSET = re.compile(r"n[0-9]{8}")


def reference_images(
    n: int, seed: int, data_dir: str | os.PathLike | None = None, cache_dir: str | os.PathLike | None = None,
    size: int = SIZE, progress: bool = True,
) -> Images:  # fmt: skip
    """`n` pictures drawn from the folder `reference` (ImageNet's train folder, or any tree of images)."""
    _, chosen = _chosen(n, seed, data_dir)
    found = from_files(data_root(data_dir) / "reference", ((path, 0) for path in chosen))
    folder = cache.images_root(cache_dir) / "reference" / f"{found.digest}-{size}-v{cache.VERSION}"
    return decode.once(folder, lambda: found, size, progress=progress).open(lambda: found).images


def reference_prompts(n: int, seed: int, data_dir: str | os.PathLike | None = None) -> list[str]:
    """The prompt "a photo of a {c}." of each of the reference pictures: c is the name of its folder.

    ImageNet's folders are numbers of synsets; there must be all 1000, whose names are those of C0.
    """
    paths, chosen = _chosen(n, seed, data_dir)
    folders = sorted({PurePosixPath(p).parent.name for p in paths})
    named = {f: f.replace("_", " ") for f in folders}
    if any(SYNSET.fullmatch(f) for f in folders):
        if len(folders) != len(IMAGENET_CLASSNAMES):
            raise DataError(
                f"{data_root(data_dir) / 'reference'} has {len(folders)} of ImageNet's {len(IMAGENET_CLASSNAMES)} "
                "folders, so that their names cannot be told. Put all there, or name the folders by what they show."
            )
        named = dict(zip(folders, IMAGENET_CLASSNAMES, strict=True))
    if "" in named:
        raise DataError(
            f"{data_root(data_dir) / 'reference'} has pictures in no folder: name a folder by what they show."
        )
    return [fill(TEMPLATE, named[PurePosixPath(p).parent.name]) for p in chosen]


def _chosen(n: int, seed: int, data_dir: str | os.PathLike | None) -> tuple[list[str], list[str]]:
    """All reference pictures and the `n` drawn ones, by their paths in the folder `reference`."""
    root = data_root(data_dir) / "reference"
    paths = tree.images_in(root) if root.is_dir() else []
    if len(paths) < n:
        raise DataError(
            f"{root} has {len(paths)} images but this method's reference set needs {n}. "
            "Put ImageNet's training images there (any folders), or ask for fewer with method_options."
        )
    return paths, [paths[i] for i in sorted(random.Random(seed).sample(range(len(paths)), n))]


def reference_captions(n: int, seed: int, data_dir: str | os.PathLike | None = None) -> list[str]:
    """At most `n` captions, shuffled, of `captions.txt`: one a line, or Conceptual Captions' "caption<TAB>address"."""
    path = data_root(data_dir) / "captions.txt"
    if not path.exists():
        raise DataError(
            f"{path} does not exist. Put any list of captions there, one a line; ZSCL took the 15.8K of the validation "
            "part of Conceptual Captions (https://ai.google.com/research/ConceptualCaptions/download)."
        )
    captions = [line.split("\t")[0] for line in readers.lines(path, "Save it as text in UTF-8, one caption a line.")]
    return random.Random(seed).sample(captions, min(n, len(captions)))
