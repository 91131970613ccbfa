"""Small copies of the eleven data sets, written in each one's own published on-disk layout."""

import dataclasses
import gzip
import io
import json
import pickle
import struct
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.io import savemat

from gift_lib.data import mtil
from gift_lib.data.records import split_digest

SIZES = ((60, 40), (40, 60), (48, 48), (150, 50))


def picture(seed: int, size: tuple[int, int] | None = None) -> Image.Image:
    """A smooth coloured picture of (width, height) `size`."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (6, 6, 3), dtype=np.uint8))
    return coarse.resize(size or SIZES[seed % len(SIZES)], Image.Resampling.BICUBIC)


def save(path: Path, seed: int, size: tuple[int, int] | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture(seed, size).save(path, quality=95)


def text(path: Path, *rows: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")


def small(name: str, **changes) -> mtil.Dataset:
    """The data set with another number of images (and classes, where given)."""
    spec = dataclasses.replace(mtil.dataset(name), **changes)
    return dataclasses.replace(spec, split=split_digest(spec.train + spec.test)) if spec.split else spec


def aircraft(root: Path) -> mtil.Dataset:
    spec = small("Aircraft", train=4, val=2, test=3, classes=("707-320", "F-16A/B"))
    data = root / "fgvc-aircraft-2013b" / "data"
    text(data / "variants.txt", "707-320", "F-16A/B")
    number = 0
    for split, n in (("train", 4), ("val", 2), ("test", 3)):
        rows = []
        for i in range(n):
            number += 1
            save(data / "images" / f"{number:07d}.jpg", number)
            rows.append(f"{number:07d} {('707-320', 'F-16A/B')[i % 2]}")
        text(data / f"images_variant_{split}.txt", *rows)
    return spec


def caltech101(root: Path) -> mtil.Dataset:
    spec = small("Caltech101", train=8, test=2, classes=("off-center face", "ant"), folders=("Faces", "ant"))
    base = root / "caltech101" / "101_ObjectCategories"
    for folder, n in (("BACKGROUND_Google", 3), ("Faces", 6), ("ant", 4)):
        for i in range(1, n + 1):
            save(base / folder / f"image_{i:04d}.jpg", i)
    picture(7).convert("L").save(base / "ant" / "image_0002.jpg")  # the original has grey pictures too
    return spec


def cifar_rows(n: int, seed: int) -> tuple[np.ndarray, list[int]]:
    return np.random.default_rng(seed).integers(0, 256, (n, 3072), dtype=np.uint8), [i % 2 for i in range(n)]


def cifar100(root: Path) -> mtil.Dataset:
    """The python version: pickled dicts."""
    base = root / "cifar-100-python"
    base.mkdir(parents=True)
    for split, n in (("train", 6), ("test", 4)):
        data, labels = cifar_rows(n, n)
        table = {"data": data, "fine_labels": labels, "coarse_labels": labels, "filenames": ["x.png"] * n}
        (base / split).write_bytes(pickle.dumps(table, protocol=2))
    (base / "meta").write_bytes(pickle.dumps({"fine_label_names": ["apple", "aquarium_fish"]}, protocol=2))
    return small("CIFAR100", train=6, test=4, classes=("apple", "aquarium fish"))


def cifar100_binary(root: Path) -> mtil.Dataset:
    base = root / "cifar-100-binary"
    text(base / "fine_label_names.txt", "apple", "aquarium_fish")
    for split, n in (("train", 6), ("test", 4)):
        data, labels = cifar_rows(n, n)
        rows = np.concatenate([np.zeros((n, 1), np.uint8), np.array(labels, np.uint8)[:, None], data], axis=1)
        (base / f"{split}.bin").write_bytes(rows.tobytes())
    return small("CIFAR100", train=6, test=4, classes=("apple", "aquarium fish"))


def dtd(root: Path) -> mtil.Dataset:
    base = root / "dtd" / "dtd"
    for k, split in enumerate(("train", "val", "test")):
        paths = [f"{c}/{c}_{k}{i}.jpg" for c in ("banded", "polka-dotted") for i in range(2)]
        for i, path in enumerate(paths):
            save(base / "images" / path, 10 * k + i)
        text(base / "labels" / f"{split}1.txt", *paths)
    return small("DTD", train=4, val=4, test=4, classes=("banded", "polka-dotted"))


def eurosat(root: Path) -> mtil.Dataset:
    for folder in ("AnnualCrop", "Forest"):
        for i in range(1, 6):
            save(root / "eurosat" / "2750" / folder / f"{folder}_{i}.jpg", i, (64, 64))
    return small("EuroSAT", train=8, test=2, classes=("annual crop land", "forest"), folders=("AnnualCrop", "Forest"))


def flowers(root: Path) -> mtil.Dataset:
    base = root / "flowers-102"
    for i in range(1, 8):
        save(base / "jpg" / f"image_{i:05d}.jpg", i)
    savemat(base / "imagelabels.mat", {"labels": np.array([[1, 2, 1, 2, 1, 2, 1]], dtype=np.uint8)})
    ids = {"trnid": [[2, 1]], "valid": [[3, 4]], "tstid": [[7, 6, 5]]}
    savemat(base / "setid.mat", {k: np.array(v, dtype=np.uint16) for k, v in ids.items()})
    return small("Flowers", train=2, val=2, test=3, classes=("pink primrose", "sweet pea"))


def food(root: Path) -> mtil.Dataset:
    base = root / "food-101"
    table = {"waffles": ["waffles/1", "waffles/2"], "apple_pie": ["apple_pie/3"]}
    for split, shift in (("train", 0), ("test", 10)):
        moved = {c: [f"{c}/{int(p.split('/')[1]) + shift}" for p in paths] for c, paths in table.items()}
        for paths in moved.values():
            for p in paths:
                save(base / "images" / f"{p}.jpg", int(p.split("/")[1]))
        text(base / "meta" / f"{split}.json", json.dumps(moved))
    return small("Food", train=3, test=3, classes=("apple pie", "waffles"))


def idx(path: Path, array: np.ndarray, packed: bool) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    data = struct.pack(f">{1 + array.ndim}I", 0x0800 + array.ndim, *array.shape) + array.astype(np.uint8).tobytes()
    if packed:
        path.with_name(path.name + ".gz").write_bytes(gzip.compress(data))
    else:
        path.write_bytes(data)


def mnist(root: Path) -> mtil.Dataset:
    rng = np.random.default_rng(0)
    for stem, n, packed in (("train", 6, False), ("t10k", 4, True)):
        idx(root / "MNIST" / "raw" / f"{stem}-images-idx3-ubyte", rng.integers(0, 256, (n, 28, 28)), packed)
        idx(root / "MNIST" / "raw" / f"{stem}-labels-idx1-ubyte", np.arange(n) % 2, packed)
    return small("MNIST", train=6, test=4, classes=("0 - zero", "1 - one"))


def pets(root: Path) -> mtil.Dataset:
    base = root / "oxford-iiit-pet"
    for split, ids in (("trainval", (1, 2)), ("test", (3,))):
        rows = []
        for i in ids:
            for k, breed in enumerate(("Abyssinian", "american_bulldog")):
                save(base / "images" / f"{breed}_{i}.jpg", i + k)
                rows.append(f"{breed}_{i} {k + 1} {k + 1} 1")
        text(base / "annotations" / f"{split}.txt", *rows)
    return small("OxfordPet", train=4, test=2, classes=("Abyssinian", "American Bulldog"))


def cars(root: Path) -> mtil.Dataset:
    base = root / "stanford_cars"
    classes = ("AM General Hummer SUV 2000", "Ram C/V Cargo Van Minivan 2012")
    (base / "devkit").mkdir(parents=True)
    savemat(base / "devkit" / "cars_meta.mat", {"class_names": np.array([classes], dtype=object)})
    kind = [("bbox_x1", "O"), ("class", "O"), ("fname", "O")]
    for split, n, path in (("train", 3, "devkit/cars_train_annos.mat"), ("test", 2, "cars_test_annos_withlabels.mat")):
        rows = np.zeros((1, n), dtype=kind)
        for i in range(n):
            save(base / f"cars_{split}" / f"{i + 1:05d}.jpg", i)
            rows[0, i] = (np.array([[39]]), np.array([[i % 2 + 1]]), np.array([f"{i + 1:05d}.jpg"]))
        savemat(base / path, {"annotations": rows})
    return small("StanfordCars", train=3, test=2, classes=classes)


def sun397(root: Path) -> mtil.Dataset:
    base = root / "SUN397"
    text(base / "ClassName.txt", "/a/abbey", "/a/apse/indoor", "/w/wine_cellar/bottle_storage")
    for folder, n in (("a/abbey", 5), ("a/apse/indoor", 3), ("w/wine_cellar/bottle_storage", 2)):
        for i in range(n):
            save(base / folder / f"sun_a{i}.jpg", i)
    return small("SUN397", train=8, test=2, classes=("abbey", "apse/indoor", "wine cellar/bottle storage"))


WRITERS = {
    "Aircraft": aircraft, "Caltech101": caltech101, "CIFAR100": cifar100, "DTD": dtd, "EuroSAT": eurosat,
    "Flowers": flowers, "Food": food, "MNIST": mnist, "OxfordPet": pets, "StanfordCars": cars, "SUN397": sun397,
}  # fmt: skip


def truncate(path: Path) -> None:
    """Keep the first half of a file."""
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def png(seed: int) -> bytes:
    buffer = io.BytesIO()
    picture(seed).save(buffer, format="PNG")
    return buffer.getvalue()
