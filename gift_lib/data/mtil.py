"""The eleven data sets of MTIL as tasks: where they are, what they must hold, how to get them.

One folder holds them all: the parameter `data_dir`, else the environment variable GIFT_DATA, else
`downloads` in the cache folder. Each lies where torchvision puts it; what torchvision can still download it
downloads, and StanfordCars and SUN397 come from a mirror on the Hugging Face hub. Another source is a
setting: `sources={"SUN397": "hf:owner/name@revision"}`, or GIFT_SOURCES="SUN397=hf:owner/name,StanfordCars=files".
"""

import contextlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import open_clip
import torch

from gift_lib.data import cache, decode, names, readers
from gift_lib.data import download as fetching
from gift_lib.data.records import Records, split_digest, split_indices
from gift_lib.errors import ConfigError, DataError, nearest
from gift_lib.files import cache_root, digest, expanded, read_json
from gift_lib.tasks import SPLITS, Split, Task

#: Pixels of the shorter side; CLIP ViT-B/16's input.
SIZE = 224


@dataclass(frozen=True)
class Dataset:
    """What is known of a data set before it is opened. `train`, `test` and `val` are numbers of images."""

    name: str
    folder: str
    train: int
    test: int
    what: str
    licence: str
    megabytes: int
    home: str
    layout: str
    read: Callable[..., Records] = field(repr=False, compare=False)
    #: Images in the published validation split, 0 where there is none.
    val: int = 0
    #: Whether train and test are the random 80/20 split; then 16 hex digits of its membership.
    split: str = ""
    #: Whether the pictures are small, all of one size, and kept so.
    native: bool = False
    #: A maintained mirror: a hub repository with a revision, and the hub's split that holds each of ours.
    mirror: str = ""
    #: Whether the mirror is what `auto` takes where the files are not there.
    prefer_mirror: bool = False
    #: torchvision's class and arguments that download it.
    torchvision: tuple[str, dict] = ("", {})
    advice: str = ""

    #: From names.json unless given.
    classes: tuple[str, ...] = field(default=(), repr=False)
    templates: tuple[str, ...] = field(default=(), repr=False)
    #: Class folders in label order, where they are called otherwise than the classes.
    folders: tuple[str, ...] = field(default=(), repr=False)

    def __post_init__(self):
        if not self.classes:
            for key in ("classes", "templates", "folders"):
                object.__setattr__(self, key, getattr(names, key)(self.name))

    def images(self, split: str) -> int:
        """How many images the protocol has in a split."""
        return {"train": self.train, "val": self.val, "test": self.test}[split]


DATASETS: dict[str, Dataset] = {d.name: d for d in (
    Dataset("Aircraft", "fgvc-aircraft-2013b", 3334, 3333, "100 variants of aircraft", "non-commercial research only",
            2750, "https://www.robots.ox.ac.uk/~vgg/data/fgvc-aircraft/",
            "data/variants.txt, data/images_variant_{train,val,test}.txt, data/images/0034309.jpg",
            readers.aircraft, val=3333, torchvision=("FGVCAircraft", {"split": "train"})),
    Dataset("Caltech101", "caltech101", 6941, 1736, "101 kinds of objects", "CC BY 4.0", 137,
            "https://data.caltech.edu/records/mzrjq-6wc02", "101_ObjectCategories/accordion/image_0001.jpg",
            readers.caltech101, split="0b9e75f00f149afd", torchvision=("Caltech101", {}), mirror="flwrlabs/caltech101",
            advice="Extract caltech-101.zip and the 101_ObjectCategories.tar.gz in it."),
    Dataset("CIFAR100", "", 50_000, 10_000, "100 kinds of things, 32 x 32", "none stated", 169,
            "https://www.cs.toronto.edu/~kriz/cifar.html",
            "cifar-100-python/{train,test,meta} or cifar-100-binary/{train.bin,test.bin,fine_label_names.txt}",
            readers.cifar100, native=True, mirror="uoft-cs/cifar100"),
    Dataset("DTD", "dtd", 1880, 1880, "47 textures, partition 1", "research only", 625,
            "https://www.robots.ox.ac.uk/~vgg/data/dtd/",
            "dtd/labels/{train,val,test}1.txt, dtd/images/banded/banded_0002.jpg",
            readers.dtd, val=1880, torchvision=("DTD", {"split": "train"})),
    Dataset("EuroSAT", "eurosat", 21_600, 5400, "10 kinds of land from a satellite, 64 x 64", "MIT", 94,
            "https://github.com/phelber/EuroSAT", "2750/AnnualCrop/AnnualCrop_1.jpg",
            readers.eurosat, split="2a98fece1276228d", native=True, torchvision=("EuroSAT", {}),
            mirror="timm/eurosat-rgb@45672726cb506066e5b3f51425158040acc1a985"),
    Dataset("Flowers", "flowers-102", 1020, 6149, "102 kinds of flowers", "none stated", 345,
            "https://www.robots.ox.ac.uk/~vgg/data/flowers/102/", "setid.mat, imagelabels.mat, jpg/image_00001.jpg",
            readers.flowers, val=1020, torchvision=("Flowers102", {"split": "train"})),
    Dataset("Food", "food-101", 75_750, 25_250, "101 dishes", "images of Foodspotting: fair use", 4997,
            "https://data.vision.ee.ethz.ch/cvl/datasets_extra/food-101/",
            "meta/{train,test}.json, images/apple_pie/134.jpg", readers.food,
            torchvision=("Food101", {"split": "train"})),
    Dataset("MNIST", "MNIST", 60_000, 10_000, "handwritten digits, 28 x 28", "CC BY-SA 3.0", 12,
            "https://huggingface.co/datasets/ylecun/mnist",
            "raw/{train,t10k}-images-idx3-ubyte[.gz], raw/{train,t10k}-labels-idx1-ubyte[.gz]",
            readers.mnist, native=True, torchvision=("MNIST", {"train": True})),
    Dataset("OxfordPet", "oxford-iiit-pet", 3680, 3669, "37 breeds of cats and dogs", "CC BY-SA 4.0", 811,
            "https://www.robots.ox.ac.uk/~vgg/data/pets/",
            "annotations/{trainval,test}.txt, images/Abyssinian_1.jpg", readers.pets,
            torchvision=("OxfordIIITPet", {"split": "trainval"})),
    Dataset("StanfordCars", "stanford_cars", 8144, 8041, "196 makes and models of cars", "non-commercial research only",
            2000, "https://github.com/pytorch/vision/issues/7545",
            "devkit/{cars_meta,cars_train_annos}.mat, cars_test_annos_withlabels.mat, cars_{train,test}/00001.jpg",
            readers.cars, mirror="tanganke/stanford_cars@9abf6cf7d6dfa7b95152a0d6e791ea9435b47a40", prefer_mirror=True,
            advice="torchvision cannot download it since 2023; the address above tells where copies are."),
    Dataset("SUN397", "SUN397", 87_003, 21_751, "397 kinds of scenes", "research only", 39_500,
            "https://huggingface.co/datasets/1aurent/SUN397", "ClassName.txt, a/abbey/sun_aaalbzqrimafwbiv.jpg",
            readers.sun397, split="cacc95f9deed84f8", prefer_mirror=True,
            mirror="1aurent/SUN397@07ddcfe3001fcab521ad88230f2064dc335237e7",
            advice="The original address is dead since January 2026."),
)}  # fmt: skip


def dataset(name: str) -> Dataset:
    if name not in DATASETS:
        raise ConfigError(f"there is no MTIL data set {name!r}; {nearest(name, DATASETS)}")
    return DATASETS[name]


# --- places -------------------------------------------------------------------------------------------------------


def data_root(data_dir: str | os.PathLike | None = None) -> Path:
    """The one folder of original data: `data_dir`, GIFT_DATA or `downloads` in the cache folder."""
    return expanded(data_dir or os.environ.get("GIFT_DATA") or cache_root() / "downloads")


def source_of(spec: Dataset, sources: Mapping[str, str] | None = None) -> str:
    """`auto`, `files` or `hf:<repository[@revision] or folder>`, from the parameter, else GIFT_SOURCES."""
    pairs = [p.split("=", 1) for p in os.environ.get("GIFT_SOURCES", "").split(",") if p.strip()]
    if any(len(p) != 2 for p in pairs):
        raise ConfigError("GIFT_SOURCES must read `SUN397=hf:owner/name,StanfordCars=files`.")
    chosen = {k.strip(): v.strip() for k, v in pairs} | dict(sources or {})
    for name in chosen:
        dataset(name)
    source = chosen.get(spec.name, "auto")
    if source not in ("auto", "files") and not source.startswith("hf:"):
        raise ConfigError(f"the source of {spec.name} cannot be {source!r}: use auto, files or hf:owner/name.")
    return source


def input_size(model: str) -> int:
    """The side in pixels of what a CLIP reads, from its configuration alone; SIZE where that says nothing."""
    folder = expanded(model) / "open_clip_config.json"
    config = read_json(folder).get("model_cfg") if folder.is_file() else open_clip.get_model_config(model.split("/")[0])
    size = (config or {}).get("vision_cfg", {}).get("image_size", SIZE)
    return size if isinstance(size, int) else min(size)


def help_with(spec: Dataset, root: Path) -> str:
    """Where to get a data set, where to put it, in which layout."""
    mirror = f", or set GIFT_SOURCES={spec.name}=hf:{spec.mirror}" if spec.mirror else ""
    if spec.mirror and spec.split:
        mirror += " (the same pictures in another order, so that the random split has other members)"
    return (
        f"Get {spec.name} ({spec.megabytes / 1000:.1f} GB) from {spec.home} and put it into {root / spec.folder} "
        f"as {spec.layout}, or run `python -m gift_lib.data prepare {spec.name}`{mirror}. {spec.advice}".strip()
    )


# --- opening ------------------------------------------------------------------------------------------------------


def records(spec: Dataset, split: str, data_dir: str | os.PathLike | None = None, source: str = "auto") -> Records:
    """The encoded pictures and labels of a split, its size and classes checked against the protocol.

    Raises DataError: what is missing, where to put it and in which layout, or which number does not fit.
    """
    published(spec, split)
    root = data_root(data_dir)
    found = _read(spec, split, root, _resolve(spec, root, source))
    if spec.split and split_digest(spec.train + spec.test) != spec.split:
        raise DataError(f"torch {torch.__version__} draws another random split of {spec.name}. Use another torch.")
    return _checked(spec, split, found)


def published(spec: Dataset, split: str) -> None:
    """A DataError for a validation split where the data set publishes none."""
    if split == "val" and not spec.val:
        raise DataError(
            f"{spec.name} publishes no validation split and the protocol holds none out of train. "
            "Use train or test; choose settings on Aircraft, DTD or Flowers, which have one."
        )


def _resolve(spec: Dataset, root: Path, source: str) -> str:
    if source != "auto":
        return source
    there = (root / spec.folder).is_dir() and any((root / spec.folder).iterdir())
    return f"hf:{spec.mirror}" if spec.prefer_mirror and not there else "files"


def _read(spec: Dataset, split: str, root: Path, source: str) -> Records:
    """All of the data set where the split is random, else the split's own records."""
    part, keep = "whole" if spec.split else split, root / fetching.MIRRORS
    try:
        if source == "files":
            found = spec.read(root / spec.folder, part, spec.classes, spec.folders)
        else:
            found = readers.hub(source.removeprefix("hf:"), part, spec.classes, spec.folders, keep)
    except readers.Missing as error:
        raise DataError(f"{error} {help_with(spec, root)}") from error
    if not spec.split:
        return found
    whole = spec.train + spec.test
    if len(found) != whole:
        raise DataError(f"{spec.name} has {len(found)} images but the protocol has {whole}. {help_with(spec, root)}")
    return found.subset(split_indices(whole)[split])


def _checked(spec: Dataset, split: str, found: Records) -> Records:
    expected = spec.images(split)
    labels = set(found.labels)
    if len(found) != expected:
        raise DataError(
            f"{spec.name}/{split} has {len(found)} images but the protocol has {expected}. "
            "Extract the original archives again, or choose another source."
        )
    if labels and (min(labels) < 0 or max(labels) >= len(spec.classes)):
        raise DataError(f"{spec.name}/{split} has labels {min(labels)}..{max(labels)}. Extract the archives again.")
    if split == "train" and len(labels) != len(spec.classes):
        raise DataError(
            f"{spec.name}/{split} shows {len(labels)} classes but the protocol has {len(spec.classes)}. "
            "Extract the original archives again, or choose another source."
        )
    return found


def split_folder(spec: Dataset, split: str, size: int, cache_dir: str | os.PathLike | None = None) -> Path:
    return cache.images_root(cache_dir) / spec.name / (f"{split}-native" if spec.native else f"{split}-{size}")


def open_split(
    spec: Dataset, split: str, data_dir: str | os.PathLike | None = None, cache_dir: str | os.PathLike | None = None,
    size: int = SIZE, source: str = "auto", progress: bool = True,
) -> Split:  # fmt: skip
    """A split, memory-mapped; downloaded and decoded first where that has not been done (the cost is printed before).

    With the source "files" nothing is downloaded.
    """
    published(spec, split)

    def find() -> Records:
        if source == "auto":
            download(spec, data_dir)
        return records(spec, split, data_dir, source)

    folder = split_folder(spec, split, size, cache_dir)
    stored = decode.once(folder, find, size, spec.native, progress=progress)
    check_source(spec, split, stored, data_dir, source)
    opened = stored.open(find)
    expected = spec.images(split)
    if len(opened) != expected:
        raise DataError(
            f"{folder} holds {len(opened)} images but {spec.name}/{split} has {expected}. "
            f"Run `python -m gift_lib.data clear {spec.name}` and `python -m gift_lib.data prepare {spec.name}`."
        )
    return opened


def originals(spec: Dataset, split: str, data_dir: str | os.PathLike | None = None) -> Records | None:
    """The original files of a split, None where nothing of the data set is in place."""
    return None if absent(spec, data_dir) else records(spec, split, data_dir, "files")


def check_source(
    spec: Dataset, split: str, stored: cache.Stored, data_dir: str | os.PathLike | None = None, source: str = "auto"
) -> None:
    """A DataError where a split was decoded from other pictures than those that the settings name now.

    Nothing is compared where no originals are here any more: the decoded pictures can do without.
    """
    if source.startswith("hf:"):
        same = stored.manifest.get("origin") == source.removeprefix("hf:")
        place = source
    else:
        found = originals(spec, split, data_dir)
        same = found is None or stored.manifest.get("records") == found.digest
        place = data_root(data_dir) / spec.folder
    if not same:
        raise DataError(
            f"{stored.folder} was decoded from other pictures than {place} holds. Run `python -m gift_lib.data clear "
            f"{spec.name}`, or set GIFT_DECODED to another folder for these."
        )


def task(
    spec: Dataset, data_dir: str | os.PathLike | None = None, cache_dir: str | os.PathLike | None = None,
    size: int = SIZE, sources: Mapping[str, str] | None = None, progress: bool = True,
) -> Task:  # fmt: skip
    """A data set as a task; nothing is read until a split is asked for."""
    source = source_of(spec, sources)
    return Task(
        spec.name, spec.classes, spec.templates, stands_for=spec.name,
        open_split=lambda split: open_split(spec, split, data_dir, cache_dir, size, source, progress),
    )  # fmt: skip


def tasks(data_dir: str | os.PathLike | None = None, **settings) -> dict[str, Task]:
    """The eleven tasks by name. Settings are `task`'s: cache_dir, size, sources, progress."""
    return {name: task(spec, data_dir, **settings) for name, spec in DATASETS.items()}


def world_hash(
    data_dir: str | os.PathLike | None = None, only: Sequence[str] = (), cache_dir: str | os.PathLike | None = None
) -> str:
    """16 hex digits of what the protocol fixes (names, templates, sizes, random splits, stored pixels' version) and of
    which pictures the data sets hold (all, or `only` some).

    Raises DataError for a data set that is neither here nor on a mirror.
    """
    table = [[d.name, d.classes, d.templates, d.train, d.test, d.split, d.native] for d in DATASETS.values()]
    fixed = [[list(v) if isinstance(v, tuple) else v for v in row] for row in table]
    chosen = [dataset(n) for n in only] or list(DATASETS.values())
    return digest(
        [*fixed, cache.VERSION, [pictures_of(d, s, data_dir, cache_dir) for d in chosen for s in ("train", "test")]]
    )


def pictures_of(
    spec: Dataset, split: str, data_dir: str | os.PathLike | None = None, cache_dir: str | os.PathLike | None = None
) -> str:
    """What tells a split's pictures from others: the digest of the files' names and lengths, or a mirror's address."""
    asked = source_of(spec)
    if asked.startswith("hf:"):
        return asked.removeprefix("hf:")
    if found := originals(spec, split, data_dir):
        return found.digest
    decoded = (cache.stored(f) for f in sorted((cache.images_root(cache_dir) / spec.name).glob(f"{split}-*")))
    manifest = next((d.manifest for d in decoded if d and d.manifest.get("version") == cache.VERSION), {})
    if manifest:
        return manifest.get("origin") or manifest["records"]
    if (source := _resolve(spec, data_root(data_dir), asked)).startswith("hf:"):
        return source.removeprefix("hf:")
    raise DataError(f"{spec.name} is not here. {help_with(spec, data_root(data_dir))}")


def fetch(
    only: Sequence[str] = (), data_dir: str | os.PathLike | None = None, cache_dir: str | os.PathLike | None = None
) -> None:
    """Download what is neither here nor decoded nor on a mirror, of all data sets or `only` some."""
    for spec in [dataset(n) for n in only] or list(DATASETS.values()):
        decoded = any((cache.images_root(cache_dir) / spec.name).glob("t*-*/manifest.json"))
        if source_of(spec) == "auto" and not decoded:
            download(spec, data_dir)


# --- cost ---------------------------------------------------------------------------------------------------------

#: Before a data set is there: bytes and seconds of one core per picture of ordinary size (computed, not measured).
NOMINAL_SECONDS, NATIVE_SECONDS = 0.012, 0.0005
NATIVE_SIDES = {"CIFAR100": 32, "EuroSAT": 64, "MNIST": 28}


def there(spec: Dataset, data_dir: str | os.PathLike | None = None) -> bool:
    """Whether the original files can be read and have the right numbers."""
    try:
        records(spec, "test", data_dir, "files")
    except DataError:
        return False
    return True


def decoded(spec: Dataset, cache_dir: str | os.PathLike | None = None, size: int = SIZE) -> list[str]:
    """The splits that are in the cache."""
    return [s for s in SPLITS if cache.stored(split_folder(spec, s, size, cache_dir))]


def undecoded(
    spec: Dataset, cache_dir: str | os.PathLike | None = None, size: int = SIZE, val: bool = False
) -> list[str]:
    """The splits that are not in the cache yet."""
    splits = ("train", "val", "test") if val and spec.val else ("train", "test")
    return [s for s in splits if not cache.stored(split_folder(spec, s, size, cache_dir))]


def cost(
    spec: Dataset, splits: Sequence[str], data_dir: str | os.PathLike | None = None, size: int = SIZE,
    source: str = "auto", workers: int | None = None,
) -> tuple[decode.Cost, int]:  # fmt: skip
    """What decoding these splits takes, and the megabytes to download before.

    Estimated from a sample of the pictures where the files are there, else computed from nominal values.
    """
    if not splits:
        return decode.Cost(0, 0, 0.0), 0
    if not source.startswith("hf:"):
        with contextlib.suppress(DataError):  # not there, or not whole: computed as if it were to be fetched
            found = [records(spec, s, data_dir, "files") for s in splits]
            return sum((decode.estimate(f, size, spec.native, workers) for f in found), decode.Cost(0, 0, 0.0)), 0
    images = sum(spec.images(s) for s in splits)
    area = NATIVE_SIDES[spec.name] ** 2 if spec.native else size**2
    seconds = images * (NATIVE_SECONDS if spec.native else NOMINAL_SECONDS) / (workers or decode.workers_here())
    return decode.Cost(images, round(images * 3 * area), seconds), spec.megabytes


def copies(spec: Dataset, source: str = "auto") -> int:
    """How often what is downloaded lies on the disk: a mirror's files a second time, as `datasets` maps them."""
    return 2 if source.startswith("hf:") or (source == "auto" and spec.prefer_mirror) else 1


# --- download -----------------------------------------------------------------------------------------------------


def absent(spec: Dataset, data_dir: str | os.PathLike | None = None) -> bool:
    """Whether nothing of the original files is in place."""
    folder = data_root(data_dir) / spec.folder
    return not any(folder.glob("*" if spec.folder else "cifar-100-*/*"))


def download(spec: Dataset, data_dir: str | os.PathLike | None = None) -> None:
    """Fetch the original files with torchvision unless some are in place; a mirror's are fetched when they are read.

    What it takes is printed before. CIFAR-100 is fetched in its binary version, which needs no unpickling.
    """
    root = data_root(data_dir)
    kind, arguments = spec.torchvision
    if spec.prefer_mirror or not absent(spec, data_dir):
        return
    with decode.alone(fetching.staging(root, spec.name)):
        if not absent(spec, data_dir):  # another process may have fetched it while this one waited
            return
        decode.require_space(root, 2 * spec.megabytes * 10**6, f"{spec.name} and its archives", "GIFT_DATA")
        print(
            f"Downloading {spec.name}: {spec.megabytes / 1000:.2f} GB, licence: {spec.licence}, into {root}.",
            flush=True,
        )
        try:
            fetching.fetch(spec.name, kind, arguments, root)
        except Exception as error:  # the network, the archive and torchvision raise many kinds
            raise DataError(f"{spec.name} could not be downloaded ({error}). {help_with(spec, root)}") from error
