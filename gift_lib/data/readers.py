"""One reader per published on-disk layout: from a data set's folder to records of one split.

The folders are those that torchvision makes, so that what is already there is found. Nothing is trusted:
a file that is missing, empty or of another form is a DataError that names it, and pickles are read by an
unpickler that can build nothing but arrays.
"""

import gzip
import json
import math
import pickle
import re
import struct
import warnings
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from gift_lib.data import tree
from gift_lib.data.records import Arrays, Records, Rows, from_files
from gift_lib.errors import DataError


class Missing(DataError):
    """A file or folder that a layout needs is not there."""


def need(path: Path) -> Path:
    """`path` if it exists."""
    if not path.exists():
        raise Missing(f"{path} does not exist.")
    return path


def spaced(name: str) -> str:
    return name.replace("_", " ")


AGAIN = "Delete it and extract the archive again."


def broken(path: Path, why: object, remedy: str = AGAIN) -> DataError:
    return DataError(f"{path} is not in its published form ({why}). {remedy}")


def lines(path: Path, remedy: str = AGAIN) -> list[str]:
    """The lines of a text file that are not empty, without a byte order mark; `remedy` is said where it has none."""
    try:
        found = [line.strip() for line in need(path).read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    except UnicodeDecodeError as error:
        raise broken(path, error, remedy) from error
    if not found:
        raise broken(path, "it is empty", remedy)
    return found


def label_of(names: dict[str, int], name: str, path: Path) -> int:
    if name not in names:
        raise broken(path, f"it names an unknown class {name!r}")
    return names[name]


def same_classes(found: Iterable[str], expected: tuple[str, ...], path: Path) -> dict[str, int]:
    """Labels by class name where `found` is exactly `expected`, in that order."""
    found = list(found)
    for i, (a, b) in enumerate(zip(found, expected, strict=False)):
        if a != b:
            raise DataError(f"{path}: class {i} is {a!r} but the protocol has {b!r}. Prepare the original data set.")
    if len(found) != len(expected):
        raise DataError(
            f"{path} has {len(found)} classes but the protocol has {len(expected)}. Prepare the original data set."
        )
    return {name: i for i, name in enumerate(found)}


def subfolders(path: Path) -> list[str]:
    return tree.subfolders(need(path))


# --- one function per data set: (folder, split, classes, folders) -> Records --------------------------------------


def aircraft(root: Path, split: str, classes: tuple[str, ...], folders: tuple[str, ...] = ()) -> Records:
    """FGVC-Aircraft: data/variants.txt, data/images_variant_<split>.txt ("<id> <variant>"), data/images/<id>.jpg."""
    data = need(root / "data")
    names = same_classes(map(spaced, lines(data / "variants.txt")), classes, data / "variants.txt")
    listing = data / f"images_variant_{split}.txt"
    pairs = [line.split(" ", 1) for line in lines(listing)]
    if any(len(p) != 2 for p in pairs):
        raise broken(listing, "a line is not an image number and a variant")
    return from_files(data, ((f"images/{i}.jpg", label_of(names, spaced(v), listing)) for i, v in pairs))


def caltech101(root: Path, split: str, classes: tuple[str, ...], folders: tuple[str, ...] = ()) -> Records:
    """Caltech101: 101_ObjectCategories/<folder>/image_0001.jpg; all images, the background class left out."""
    base = need(root / "101_ObjectCategories")
    found = [f for f in subfolders(base) if f != "BACKGROUND_Google"]
    return in_folders(base, same_classes(found, folders or classes, base))


def eurosat(root: Path, split: str, classes: tuple[str, ...], folders: tuple[str, ...] = ()) -> Records:
    """EuroSAT (RGB): 2750/<Folder>/<Folder>_1.jpg; all images."""
    base = need(root / "2750")
    return in_folders(base, same_classes(subfolders(base), folders or classes, base))


def in_folders(base: Path, names: dict[str, int]) -> Records:
    """Every image of one folder per class, class after class."""
    return from_files(base, ((f"{f}/{p}", i) for f, i in names.items() for p in tree.images_in(base / f)))


def dtd(root: Path, split: str, classes: tuple[str, ...], folders: tuple[str, ...] = ()) -> Records:
    """DTD, partition 1: dtd/labels/<split>1.txt ("banded/banded_0002.jpg"), dtd/images/."""
    listing = root / "dtd" / "labels" / f"{split}1.txt"
    paths = lines(listing)
    names = {c: i for i, c in enumerate(classes)}
    samples = ((f"images/{p}", label_of(names, spaced(p.split("/")[0]), listing)) for p in paths)
    return from_files(root / "dtd", samples)


def flowers(root: Path, split: str, classes: tuple[str, ...], folders: tuple[str, ...] = ()) -> Records:
    """Flowers102: setid.mat (trnid, valid, tstid), imagelabels.mat (labels from 1), jpg/image_00001.jpg."""
    key = {"train": "trnid", "val": "valid", "test": "tstid"}[split]
    ids, labels = numbers(root / "setid.mat", key), numbers(root / "imagelabels.mat", "labels")
    if ids.min() < 1 or ids.max() > len(labels):
        raise broken(root / "setid.mat", f"image numbers {ids.min()}..{ids.max()} with {len(labels)} labels")
    return from_files(root, ((f"jpg/image_{i:05d}.jpg", int(labels[i - 1]) - 1) for i in ids))


def food(root: Path, split: str, classes: tuple[str, ...], folders: tuple[str, ...] = ()) -> Records:
    """Food-101: meta/<split>.json (class -> ["class/123", ...]), images/class/123.jpg; classes sorted."""
    listing = need(root / "meta" / f"{split}.json")
    try:
        table = json.loads(listing.read_text(encoding="utf-8"))
        items = [(c, p) for c, paths in table.items() for p in paths]
    except (ValueError, AttributeError, TypeError) as error:
        raise broken(listing, error) from error
    names = same_classes(map(spaced, sorted(table)), classes, listing)
    return from_files(root, ((f"images/{p}.jpg", names[spaced(c)]) for c, p in items))


def pets(root: Path, split: str, classes: tuple[str, ...], folders: tuple[str, ...] = ()) -> Records:
    """Oxford-IIIT Pet: annotations/trainval.txt and test.txt ("<id> <class from 1> ..."), images/<id>.jpg."""
    listing = root / "annotations" / {"train": "trainval.txt", "test": "test.txt"}[split]
    rows = [line.split() for line in lines(listing) if not line.startswith("#")]
    names = {c: i for i, c in enumerate(classes)}
    labels = [label_of(names, spaced(r[0].rsplit("_", 1)[0]).title(), listing) for r in rows]
    if any(len(r) < 2 or str(i + 1) != r[1] for r, i in zip(rows, labels, strict=True)):
        raise broken(listing, "a class number does not fit its image's name")
    return from_files(root, ((f"images/{r[0]}.jpg", i) for r, i in zip(rows, labels, strict=True)))


def cars(root: Path, split: str, classes: tuple[str, ...], folders: tuple[str, ...] = ()) -> Records:
    """Stanford Cars: devkit/{cars_meta,cars_train_annos}.mat, cars_test_annos_withlabels.mat, cars_<split>/*.jpg."""
    meta = root / "devkit" / "cars_meta.mat"
    same_classes((str(c) for c in matlab(meta, "class_names")), classes, meta)
    listing = root / {"train": "devkit/cars_train_annos.mat", "test": "cars_test_annos_withlabels.mat"}[split]
    rows = matlab(listing, "annotations")
    try:
        samples = [(f"cars_{split}/{r['fname']}", int(r["class"]) - 1) for r in rows]
    except (IndexError, KeyError, ValueError, TypeError) as error:
        raise broken(listing, error) from error
    return from_files(root, samples)


def sun397(root: Path, split: str, classes: tuple[str, ...], folders: tuple[str, ...] = ()) -> Records:
    """SUN397: ClassName.txt ("/a/abbey", "/a/apse/indoor"), a/apse/indoor/sun_*.jpg; all images, sorted by path.

    torchvision takes the order in which the file system lists the images, so the published split
    cannot be repeated to the image; sorting makes ours the same everywhere.
    """
    listing = root / "ClassName.txt"
    names = same_classes((spaced(line[3:]) for line in lines(listing)), classes, listing)
    paths = sorted(p.relative_to(root).as_posix() for p in root.rglob("sun_*.jpg"))
    return from_files(root, ((p, label_of(names, spaced(p[2:].rsplit("/", 1)[0]), listing)) for p in paths))


def mnist(root: Path, split: str, classes: tuple[str, ...], folders: tuple[str, ...] = ()) -> Records:
    """MNIST: raw/train-images-idx3-ubyte and -labels-idx1-ubyte (t10k- for the test), gzipped or not."""
    stem = {"train": "train", "test": "t10k"}[split]
    pixels = idx(root / "raw" / f"{stem}-images-idx3-ubyte", dimensions=3)
    labels = idx(root / "raw" / f"{stem}-labels-idx1-ubyte", dimensions=1)
    if len(pixels) != len(labels):
        raise broken(root / "raw" / f"{stem}-images-idx3-ubyte", f"{len(pixels)} images, {len(labels)} labels")
    return Records(Arrays(f"{stem}-images-idx3-ubyte", pixels), labels.tolist())


def cifar100(root: Path, split: str, classes: tuple[str, ...], folders: tuple[str, ...] = ()) -> Records:
    """CIFAR-100: cifar-100-binary/<split>.bin, or cifar-100-python/<split> (a pickle, read by ArrayUnpickler)."""
    binary = root / "cifar-100-binary" / f"{split}.bin"
    if binary.exists() or not (root / "cifar-100-python").exists():
        meta = binary.with_name("fine_label_names.txt")
        names, (pixels, labels) = lines(meta), cifar_binary(need(binary))
    else:
        meta = root / "cifar-100-python" / "meta"
        names = plain_pickle(meta).get("fine_label_names", [])
        pixels, labels = cifar_pickle(meta.with_name(split))
    same_classes(map(spaced, names), classes, meta)
    return Records(Arrays(f"cifar-100/{split}", pixels), labels)


# --- file formats -------------------------------------------------------------------------------------------------


def cifar_binary(path: Path) -> tuple[np.ndarray, list[int]]:
    """Rows of coarse label, fine label and 3072 bytes, channel after channel."""
    data = np.frombuffer(path.read_bytes(), dtype=np.uint8)
    if len(data) == 0 or len(data) % 3074:
        raise broken(path, f"{len(data)} bytes are no whole number of rows of 3074")
    rows = data.reshape(-1, 3074)
    return _hwc(rows[:, 2:]), rows[:, 1].tolist()


def cifar_pickle(path: Path) -> tuple[np.ndarray, list[int]]:
    table = plain_pickle(path)
    data, labels = table.get("data"), table.get("fine_labels")
    good = isinstance(data, np.ndarray) and data.dtype == np.uint8 and data.ndim == 2 and data.shape[1] == 3072
    if not good or not isinstance(labels, list) or len(labels) != len(data):
        raise broken(path, "it has no `data` of 3072 bytes a row with as many `fine_labels`")
    return _hwc(data), [int(i) for i in labels]


def _hwc(rows: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(rows.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))


class ArrayUnpickler(pickle.Unpickler):
    """Builds numbers, texts, lists, dicts and numpy arrays; everything else is refused before it runs."""

    ALLOWED = frozenset(
        {(f"numpy.{core}.multiarray", "_reconstruct") for core in ("core", "_core")}
        | {("numpy", "ndarray"), ("numpy", "dtype"), ("_codecs", "encode")}
    )

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self.ALLOWED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no data set needs")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # numpy.core is numpy 1's name for numpy._core
            return super().find_class(module.replace("numpy.core.", "numpy._core."), name)


def plain_pickle(path: Path) -> dict[str, Any]:
    """A pickled dict of plain values and arrays."""
    try:
        with open(need(path), "rb") as file:
            table = ArrayUnpickler(file, encoding="latin1").load()
    except Missing:
        raise
    except Exception as error:  # a damaged pickle may raise almost anything
        raise broken(path, error) from error
    if not isinstance(table, dict):
        raise broken(path, "it is no table")
    return table


def idx(path: Path, dimensions: int) -> np.ndarray:
    """An IDX file of bytes: magic number 0x0800 + dimensions, sizes, data (all big-endian)."""
    packed = path.with_name(path.name + ".gz")
    try:
        data = path.read_bytes() if path.exists() else gzip.decompress(need(packed).read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise broken(packed, error) from error
    head = 4 + 4 * dimensions
    magic, *shape = struct.unpack(f">{1 + dimensions}I", data[:head]) if len(data) >= head else (0,)
    if magic != 0x0800 + dimensions or len(data) != head + math.prod(shape):
        raise broken(path, f"{len(data)} bytes do not fit its header")
    return np.frombuffer(data, dtype=np.uint8, offset=head).reshape(shape)


def matlab(path: Path, key: str) -> np.ndarray:
    """One variable of a MATLAB file, squeezed to one dimension at least."""
    from scipy.io import loadmat

    need(path)
    try:
        return np.atleast_1d(loadmat(path, squeeze_me=True)[key])
    except Exception as error:  # scipy raises many kinds on a damaged file
        raise broken(path, error) from error


def numbers(path: Path, key: str) -> np.ndarray:
    """One variable of a MATLAB file as whole numbers, at least one of them."""
    found = matlab(path, key)
    if found.ndim != 1 or not len(found) or found.dtype.kind not in "iuf" or (found != np.floor(found)).any():
        raise broken(path, f"{key} holds no whole numbers")
    return found.astype(int)


# --- Hugging Face -------------------------------------------------------------------------------------------------


def hub(
    source: str, split: str, classes: tuple[str, ...], folders: tuple[str, ...] = (), keep: Path | None = None
) -> Records:
    """The parquet files <split>-*.parquet of a hub repository ("owner/name" or "owner/name@revision") or a folder.

    With the split "whole" all parquet files, of whatever split, in the order of their names. Needs the `datasets`
    library, which keeps a copy that it can map into memory in the folder `keep`. Label names must be the protocol's,
    or those of its folders, up to spelling; their order may differ.
    """
    table = hub_table(source, split, keep)
    image = next((c for c in ("image", "img") if c in table.features), None)
    label = next((c for c in ("label", "labels", "fine_label") if c in table.features), None)
    names = getattr(table.features.get(label), "names", None)
    if image is None or not names:
        raise DataError(f"{source} has no image column and label names. Choose another mirror as source.")
    to_label = match_names(names, classes, source, folders)
    labels = list(table[label])
    if not all(isinstance(i, int) and 0 <= i < len(names) for i in labels):
        raise DataError(f"{source} hides labels of {split}. Choose another mirror as source.")
    return Records(Rows(source, undecoded(table, image), image), [to_label[i] for i in labels])


def undecoded(table: Any, column: str) -> Any:
    """The table with a column's files as they are: the library would turn some pictures by what a camera noted."""
    from datasets import Image

    return table.cast_column(column, Image(decode=False))


def hub_table(source: str, split: str, keep: Path | None = None) -> Any:
    try:
        import datasets
    except ImportError as error:
        raise DataError(
            f"the source {source} needs the `datasets` library. Run `pip install datasets`, or put the files in place."
        ) from error
    base = Path(source) if Path(source).exists() else f"hf://datasets/{source}"
    pattern = {"whole": "*", "val": "val*-*"}.get(split, f"{split}-*")  # some say "validation"
    files = {split: f"{base}/**/{pattern}.parquet"}
    try:
        return datasets.load_dataset("parquet", data_files=files, split=split, cache_dir=keep and str(keep))
    except Exception as error:  # network, hub and cache errors have no common class
        raise DataError(
            f"{source} cannot be loaded ({error}). Check the network and the name, or choose another source."
        ) from error


def match_names(names: list[str], classes: tuple[str, ...], source: str, folders: tuple[str, ...] = ()) -> list[int]:
    """For each label of a mirror, the protocol's label; names are compared by their letters and digits."""
    ours = {_plain(n): i for known in (folders, classes) for i, n in enumerate(known)}
    labels = [ours.get(_plain(n)) for n in names]
    if sorted(i for i in labels if i is not None) != list(range(len(classes))) or None in labels:
        odd = next((n for n, i in zip(names, labels, strict=True) if i is None), f"{len(names)} names")
        raise DataError(f"{source}: its classes are not the protocol's ({odd!r}). Choose another mirror as source.")
    return labels


def _plain(name: str) -> str:
    return re.sub("[^a-z0-9]+", "", re.sub("^/[a-z]/", "", name.lower()))
