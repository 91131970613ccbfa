"""The eleven data sets, read from small copies in their published layouts."""

import dataclasses
import io
import pickle
import re
import shutil
import sys
import types
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from layouts import WRITERS, aircraft, cifar100, cifar100_binary, picture, png, save, small, truncate
from PIL import Image
from scipy.io import savemat
from torchvision import datasets

from gift_lib import data
from gift_lib.config import experiment
from gift_lib.data import decode, download, mtil, readers, reference
from gift_lib.data.__main__ import main
from gift_lib.data.records import Records, Rows, split_digest, split_indices
from gift_lib.errors import ConfigError, DataError
from gift_lib.files import write_json
from gift_lib.tasks import ORDERS

#: train, test, classes, evaluation templates of MTIL, as GIFT's slides (page 9) and ZSCL's released code have them.
TABLE = {
    "Aircraft": (3334, 3333, 100, 2), "Caltech101": (6941, 1736, 101, 34), "CIFAR100": (50000, 10000, 100, 18),
    "DTD": (1880, 1880, 47, 8), "EuroSAT": (21600, 5400, 10, 3), "Flowers": (1020, 6149, 102, 1),
    "Food": (75750, 25250, 101, 1), "MNIST": (60000, 10000, 10, 1), "OxfordPet": (3680, 3669, 37, 1),
    "StanfordCars": (8144, 8041, 196, 9), "SUN397": (87003, 21751, 397, 2),
}  # fmt: skip


@pytest.fixture(params=WRITERS)
def copy(request, tmp_path):
    """(data set with the copy's numbers, folder of the copy)."""
    return WRITERS[request.param](tmp_path), tmp_path


@pytest.fixture
def planes(tmp_path):
    return aircraft(tmp_path), tmp_path


@pytest.mark.parametrize("file", ["setid.mat", "imagelabels.mat"])
@pytest.mark.parametrize("what", [np.zeros((0,)), np.array(["a"]), np.array([1.5]), None])
def test_flowers_lists_without_numbers_are_one_clear_error(file, what, tmp_path):
    spec = WRITERS["Flowers"](tmp_path)
    path = tmp_path / "flowers-102" / file
    if what is None:
        path.write_bytes(b"")
    else:
        savemat(path, {"trnid": what, "labels": what})
    with pytest.raises(DataError, match=f"{file} is not in its published form"):
        mtil.records(spec, "train", tmp_path, "files")


def names_of(found: Records) -> list[tuple[str, int]]:
    return [(found.pictures.name(i), label) for i, label in enumerate(found.labels)]


# --- the table ----------------------------------------------------------------------------------------------------


def test_table_is_the_protocols():
    found = {d.name: (d.train, d.test, len(d.classes), len(d.templates)) for d in mtil.DATASETS.values()}
    assert found == TABLE and tuple(found) == ORDERS["I"]


@pytest.mark.parametrize("name", ["Caltech101", "EuroSAT", "SUN397"])
def test_random_splits_are_pinned(name):
    spec = mtil.dataset(name)
    n = spec.train + spec.test
    parts = split_indices(n)
    assert split_digest(n) == spec.split
    assert (len(parts["train"]), len(parts["test"])) == (spec.train, spec.test)
    assert sorted(parts["train"] + parts["test"]) == list(range(n))


def test_tasks_open_nothing_until_asked(tmp_path):
    tasks = mtil.tasks(tmp_path / "nowhere")
    assert [t.stands_for for t in tasks.values()] == list(ORDERS["I"])
    assert tasks["Aircraft"].prompts()[0] == "a photo of a 707-320, a type of aircraft."


def test_world_hash_is_stable_and_sees_the_protocol_and_the_pictures(two, monkeypatch):
    before = mtil.world_hash()
    assert before == mtil.world_hash() and len(before) == 16
    one = mtil.world_hash(only=["EuroSAT"])
    assert one not in (before, mtil.world_hash(only=["Aircraft"]))
    save(two / "data" / "eurosat" / "2750" / "Forest" / "Forest_2.jpg", 77, (64, 64))
    assert mtil.world_hash() != before and mtil.world_hash(only=["EuroSAT"]) != one
    before = mtil.world_hash()
    monkeypatch.setitem(mtil.DATASETS, "DTD", mtil.dataset("Aircraft"))
    assert mtil.world_hash(only=["Aircraft", "EuroSAT"]) != before


def test_world_hash_is_the_same_before_and_after_decoding_and_without_originals(two):
    before = mtil.world_hash()
    for task in mtil.tasks(size=32, progress=False).values():
        assert len(task.train) and len(task.test)
    assert mtil.world_hash() == before
    (two / "data").rename(two / "gone")
    assert mtil.world_hash() == before
    shutil.rmtree(two / "cache")
    with pytest.raises(DataError, match=r"Aircraft is not here\. Get Aircraft"):
        mtil.world_hash()


def test_world_hash_names_a_mirror_by_its_address(two, monkeypatch):
    before = mtil.world_hash()
    monkeypatch.setenv("GIFT_SOURCES", "Aircraft=hf:a/b@1")
    first = mtil.world_hash()
    monkeypatch.setenv("GIFT_SOURCES", "Aircraft=hf:a/b@2")
    assert len({before, first, mtil.world_hash()}) == 3


# --- reading the published layouts --------------------------------------------------------------------------------


def test_copy_is_read_whole(copy):
    spec, root = copy
    for split in ("train", "test"):
        found = mtil.records(spec, split, root, "files")
        assert len(found) == spec.images(split)
        assert found.pictures.open(len(found) - 1).mode == "RGB"
        assert set(found.labels) <= set(range(len(spec.classes)))


def test_train_and_test_share_no_picture(copy):
    spec, root = copy
    train, test = (dict(names_of(mtil.records(spec, s, root, "files"))) for s in ("train", "test"))
    assert not set(train) & set(test)


def torchvision_samples(name: str, root, split: str) -> list[tuple[str, int]]:
    """What torchvision's own class reads from the same copy."""
    table = {
        "Aircraft": lambda: datasets.FGVCAircraft(root, split), "DTD": lambda: datasets.DTD(root, split),
        "Flowers": lambda: datasets.Flowers102(root, split), "Food": lambda: datasets.Food101(root, split),
        "StanfordCars": lambda: datasets.StanfordCars(root, split), "SUN397": lambda: datasets.SUN397(root),
        "OxfordPet": lambda: datasets.OxfordIIITPet(root, "trainval" if split == "train" else split),
        "EuroSAT": lambda: datasets.EuroSAT(root), "Caltech101": lambda: datasets.Caltech101(root),
    }  # fmt: skip
    data = table[name]()
    if name == "EuroSAT":
        pairs = data.samples
    elif name == "Caltech101":
        pairs = [(f"{data.categories[y]}/image_{i:04d}.jpg", y) for i, y in zip(data.index, data.y, strict=True)]
    elif name == "StanfordCars":
        pairs = data._samples
    else:
        pairs = list(zip(getattr(data, "_images", None) or data._image_files, data._labels, strict=True))
    return [(str(path).replace(str(root), ""), int(label)) for path, label in pairs]


@pytest.mark.parametrize("name", [n for n in WRITERS if n not in ("CIFAR100", "MNIST")])
@pytest.mark.parametrize("split", ["train", "test"])
def test_same_samples_as_torchvision(name, split, tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.Flowers102, "_check_integrity", lambda self: True)  # the labels file's digest
    spec = WRITERS[name](tmp_path)
    theirs = torchvision_samples(name, tmp_path, split)
    if name == "SUN397":  # its order is the file system's; ours is sorted
        theirs = sorted(theirs)
    if spec.split:
        theirs = [theirs[i] for i in split_indices(len(theirs))[split]]
    ours = names_of(mtil.records(spec, split, tmp_path, "files"))
    assert [label for _, label in ours] == [label for _, label in theirs]
    assert all(b.endswith(a) for (a, _), (b, _) in zip(ours, theirs, strict=True))


def test_mnist_same_as_torchvision(tmp_path):
    WRITERS["MNIST"](tmp_path)
    theirs = datasets.mnist.read_image_file(str(tmp_path / "MNIST" / "raw" / "train-images-idx3-ubyte"))
    found = readers.mnist(tmp_path / "MNIST", "train", ())
    assert all(np.array_equal(np.asarray(found.pictures.open(i))[..., 1], x.numpy()) for i, x in enumerate(theirs))


def test_cifar_binary_and_pickle_hold_the_same(tmp_path):
    spec = cifar100(tmp_path / "a")
    cifar100_binary(tmp_path / "b")
    a, b = (mtil.records(spec, "train", tmp_path / k, "files") for k in "ab")
    assert list(a.labels) == list(b.labels) and np.array_equal(a.pictures.pixels, b.pictures.pixels)
    assert np.asarray(a.pictures.open(0))[0, 1, 2] == a.pictures.pixels[0, 0, 1, 2]


@pytest.mark.parametrize(("name", "n"), [("Aircraft", 2), ("DTD", 4), ("Flowers", 2)])
def test_published_validation_splits(name, n, tmp_path):
    spec = WRITERS[name](tmp_path)
    assert len(mtil.records(spec, "val", tmp_path, "files")) == n


@pytest.mark.parametrize("name", [n for n, d in mtil.DATASETS.items() if not d.val])
def test_no_validation_split_is_held_out(name):
    with pytest.raises(DataError, match="publishes no validation split"):
        mtil.tasks()[name].val  # noqa: B018


# --- what can be wrong --------------------------------------------------------------------------------------------


def test_absent_data_set_says_where_and_how(tmp_path):
    for name, spec in mtil.DATASETS.items():
        with pytest.raises(DataError) as caught:
            mtil.records(spec, "train", tmp_path, "files")
        message = str(caught.value)
        assert spec.home in message and str(tmp_path / spec.folder) in message and spec.layout in message
        assert f"prepare {name}" in message
    assert "hf:1aurent/SUN397" in message  # the last one has a mirror


def test_wrong_count(copy):
    spec, root = copy
    wrong = dataclasses.replace(spec, train=spec.train + 1, split="")
    if spec.split:
        wrong = dataclasses.replace(wrong, split=split_digest(wrong.train + wrong.test))
    with pytest.raises(DataError, match="the protocol has"):
        mtil.records(wrong, "train", root, "files")


def test_wrong_classes(copy):
    spec, root = copy
    other = ("unheard of", *spec.classes[1:])
    folders = ("unheard of", *spec.folders[1:]) if spec.folders else ()
    wrong = dataclasses.replace(spec, classes=other, folders=folders)
    if spec.name in ("Flowers", "MNIST"):  # whose files hold no class names
        wrong = dataclasses.replace(spec, classes=(*spec.classes, "one more"))
    with pytest.raises(DataError, match=r"protocol|unknown class"):
        mtil.records(wrong, "train", root, "files")


LISTS = {
    "Aircraft": "fgvc-aircraft-2013b/data/images_variant_train.txt", "CIFAR100": "cifar-100-python/train",
    "DTD": "dtd/dtd/labels/train1.txt", "Flowers": "flowers-102/setid.mat", "Food": "food-101/meta/train.json",
    "MNIST": "MNIST/raw/train-images-idx3-ubyte", "OxfordPet": "oxford-iiit-pet/annotations/trainval.txt",
    "StanfordCars": "stanford_cars/devkit/cars_train_annos.mat", "SUN397": "SUN397/ClassName.txt",
    "Caltech101": "caltech101/101_ObjectCategories/ant/image_0001.jpg",
    "EuroSAT": "eurosat/2750/Forest/Forest_1.jpg",
}  # fmt: skip


@pytest.mark.parametrize("name", LISTS)
def test_missing_split_file(name, tmp_path):
    spec = WRITERS[name](tmp_path)
    (tmp_path / LISTS[name]).unlink()
    with pytest.raises(DataError, match=r"does not exist|the protocol has"):
        mtil.records(spec, "train", tmp_path, "files")


@pytest.mark.parametrize("name", [n for n, path in LISTS.items() if not path.endswith(".jpg")])
@pytest.mark.parametrize("damage", ["truncated", "empty", "noise"])
def test_damaged_split_file(name, damage, tmp_path):
    spec = WRITERS[name](tmp_path)
    path = tmp_path / LISTS[name]
    if damage == "truncated":
        truncate(path)
    else:
        path.write_bytes(b"" if damage == "empty" else np.random.default_rng(1).bytes(999))
    with pytest.raises(DataError):
        mtil.records(spec, "train", tmp_path, "files")


@pytest.mark.parametrize("name", [n for n in WRITERS if n not in ("CIFAR100", "MNIST")])
def test_truncated_image_is_named(name, tmp_path):
    spec = WRITERS[name](tmp_path)
    found = mtil.records(spec, "train", tmp_path, "files")
    base = found.pictures if not spec.split else found.pictures.pictures
    path = base.root / found.pictures.name(1)
    truncate(path)
    with pytest.raises(DataError, match=rf"{path.name} cannot be decoded"):
        mtil.open_split(spec, "train", tmp_path, tmp_path / "cache", size=32, source="files", progress=False)
    path.unlink()
    with pytest.raises(DataError, match="is listed but does not exist"):
        found.pictures.open(1)


def test_truncated_mnist_and_cifar(tmp_path):
    for writer, path in (
        (WRITERS["MNIST"], "MNIST/raw/t10k-images-idx3-ubyte.gz"),
        (cifar100, "cifar-100-python/test"),
    ):
        spec = writer(tmp_path)
        truncate(tmp_path / path)
        with pytest.raises(DataError, match="not in its published form"):
            mtil.records(spec, "test", tmp_path, "files")


class Bomb:
    def __reduce__(self):
        return (print, ("this must never run",))


def test_pickles_cannot_run_code(tmp_path, capsys):
    spec = cifar100(tmp_path)
    (tmp_path / "cifar-100-python" / "train").write_bytes(pickle.dumps({"data": Bomb()}, protocol=2))
    with pytest.raises(DataError, match="which no data set needs"):
        mtil.records(spec, "train", tmp_path, "files")
    assert "never" not in capsys.readouterr().out


def test_another_random_split_is_an_error(tmp_path):
    spec = WRITERS["EuroSAT"](tmp_path)
    with pytest.raises(DataError, match="another random split"):
        mtil.records(dataclasses.replace(spec, split="0" * 16), "train", tmp_path, "files")


def test_unknown_data_set():
    with pytest.raises(ConfigError, match="'Flowers'"):
        mtil.dataset("Flower")


# --- sources ------------------------------------------------------------------------------------------------------


def test_source_setting(monkeypatch):
    spec = mtil.dataset("SUN397")
    monkeypatch.setenv("GIFT_SOURCES", "SUN397=hf:a/b, StanfordCars=files")
    assert mtil.source_of(spec) == "hf:a/b"
    assert mtil.source_of(spec, {"SUN397": "files"}) == "files"
    assert mtil.source_of(mtil.dataset("DTD")) == "auto"
    with pytest.raises(ConfigError, match="cannot be"):
        mtil.source_of(spec, {"SUN397": "ftp://x"})
    monkeypatch.setenv("GIFT_SOURCES", "SUN397")
    with pytest.raises(ConfigError, match="must read"):
        mtil.source_of(spec)


class Table:
    """The part of a Hugging Face table that is read."""

    def __init__(self, names, labels):
        self.features = {"image": None, "label": types.SimpleNamespace(names=names)}
        self.labels = labels

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, key):
        return self.labels if key == "label" else {"image": {"bytes": png(key), "path": None}}

    def cast_column(self, column, kind):
        assert column == "image" and kind == "Image(decode=False)"
        return self


def library(load_dataset):
    """A stand-in for the `datasets` library."""
    return types.SimpleNamespace(load_dataset=load_dataset, Image=lambda decode: f"Image(decode={decode})")


def test_mirror_with_other_spelling_and_order(monkeypatch, tmp_path):
    table = Table(["/w/wine_cellar/bottle_storage", "/a/abbey", "/a/apse/indoor"], [1, 1, 2, 0, 1, 2, 0, 1, 2, 0])
    asked = {}
    fake = library(lambda kind, data_files, split, cache_dir: asked.update(data_files, cache=cache_dir) or table)
    monkeypatch.setitem(sys.modules, "datasets", fake)
    classes = ("abbey", "apse/indoor", "wine cellar/bottle storage")
    spec = small("SUN397", train=8, test=2, classes=classes)
    found = mtil.records(spec, "train", tmp_path)  # auto: no files there, so the mirror
    assert asked == {"whole": f"hf://datasets/{spec.mirror}/**/*.parquet", "cache": str(tmp_path / "mirrors")}
    assert re.fullmatch(r"1aurent/SUN397@[0-9a-f]{40}", spec.mirror), "the order of its rows decides the split"
    ours = [{0: 2, 1: 0, 2: 1}[i] for i in table.labels]
    assert list(found.labels) == [ours[i] for i in split_indices(10)["train"]]
    assert found.pictures.open(0).mode == "RGB"


def test_mirror_with_other_classes(monkeypatch, tmp_path):
    fake = library(lambda *_, **__: Table(["abbey", "volcano"], [0, 1]))
    monkeypatch.setitem(sys.modules, "datasets", fake)
    with pytest.raises(DataError, match="'volcano'"):
        mtil.records(small("SUN397", classes=("abbey", "apse")), "train", tmp_path, "hf:a/b")


def test_mirror_that_names_folders_and_divides_otherwise(monkeypatch, tmp_path):
    """EuroSAT's mirrors say "Annual Crop" or "AnnualCrop" and have splits of their own: all of it is divided anew."""
    table = Table(["Forest", "Annual Crop"], [0, 1, 1, 0, 1, 0, 0, 1, 1, 0])
    monkeypatch.setitem(sys.modules, "datasets", library(lambda *_, **__: table))
    spec = small("EuroSAT", train=8, test=2, classes=("annual crop land", "forest"), folders=("AnnualCrop", "Forest"))
    found = mtil.records(spec, "test", tmp_path, "hf:a/b")
    assert list(found.labels) == [1 - table.labels[i] for i in split_indices(10)["test"]]


@pytest.mark.parametrize("spec", mtil.DATASETS.values(), ids=list(mtil.DATASETS))
def test_letters_and_digits_tell_classes_apart(spec):
    for known in (spec.classes, spec.folders or spec.classes):
        assert readers.match_names(list(known), spec.classes, "x", spec.folders) == list(range(len(spec.classes)))


def test_mirror_that_hides_labels(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "datasets", library(lambda *_, **__: Table(["abbey", "apse"], [0, -1])))
    with pytest.raises(DataError, match="hides labels of test"):
        mtil.records(small("DTD", classes=("abbey", "apse")), "test", tmp_path, "hf:a/b")


def test_a_mirrors_validation_split_may_be_called_validation(monkeypatch, tmp_path):
    asked = []
    fake = library(lambda *_, data_files, **__: asked.append(data_files) or Table(["abbey", "apse"], [0, 1]))
    monkeypatch.setitem(sys.modules, "datasets", fake)
    assert len(mtil.records(small("DTD", val=2, classes=("abbey", "apse")), "val", tmp_path, "hf:a/b")) == 2
    assert asked == [{"val": "hf://datasets/a/b/**/val*-*.parquet"}]


def test_rows_are_decoded_as_they_are(tmp_path):
    """A camera's note that a picture lies on its side is not followed, as it is not in files; damage is named."""
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    picture(1, (60, 40)).save(buffer, format="JPEG", exif=exif)
    (tmp_path / "a.jpg").write_bytes(buffer.getvalue())
    data = buffer.getvalue()
    cells = [{"bytes": data, "path": None}, {"bytes": None, "path": str(tmp_path / "a.jpg")},
             {"bytes": data[: len(data) // 2], "path": None}, {"bytes": None, "path": None}]  # fmt: skip
    rows = Rows("a/b", [{"image": c} for c in cells], "image")
    assert rows.open(0).size == rows.open(1).size == (60, 40)
    for bad in (2, 3):
        with pytest.raises(DataError, match=f"row {bad} of a/b cannot be decoded"):
            rows.open(bad)


def test_mirror_without_library_or_network(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(DataError, match="pip install datasets"):
        mtil.records(mtil.dataset("StanfordCars"), "train", tmp_path)

    def fail(*_, **__):
        raise ConnectionError("no network")

    monkeypatch.setitem(sys.modules, "datasets", library(fail))
    with pytest.raises(DataError, match="no network"):
        mtil.records(mtil.dataset("StanfordCars"), "train", tmp_path)


def test_mirror_through_the_real_library(tmp_path, monkeypatch):
    """Parquet files as the hub has them, read by the `datasets` library itself, where it is installed."""
    datasets = pytest.importorskip("datasets", reason="pip install gift-lib[data]")
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "hf"))
    names, labels = ["/w/wine_cellar/bottle_storage", "/a/abbey", "/a/apse/indoor"], [1, 1, 2, 0, 1, 2, 0, 1, 2, 0]
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=names)})
    table = datasets.Dataset.from_dict({"image": [picture(i) for i in range(10)], "label": labels}, features=features)
    (tmp_path / "mirror" / "data").mkdir(parents=True)
    table.to_parquet(str(tmp_path / "mirror" / "data" / "train-00000-of-00001.parquet"))
    spec = small("SUN397", train=8, test=2, classes=("abbey", "apse/indoor", "wine cellar/bottle storage"))
    found = mtil.records(spec, "test", tmp_path / "nowhere", f"hf:{tmp_path / 'mirror'}")
    index = split_indices(10)["test"]
    assert list(found.labels) == [{0: 2, 1: 0, 2: 1}[labels[i]] for i in index]
    assert np.array_equal(np.asarray(found.pictures.open(0)), np.asarray(picture(index[0])))


# --- downloads ----------------------------------------------------------------------------------------------------


@pytest.fixture
def network(tmp_path, monkeypatch):
    """torchvision's EuroSAT with a small archive in the place of the network; the times it was asked."""
    spec = WRITERS["EuroSAT"](tmp_path / "published")
    shutil.make_archive(str(tmp_path / "EuroSAT"), "zip", tmp_path / "published" / "eurosat")
    asked = []

    def archive(root, download):
        asked.append(root)
        place = Path(root, "eurosat")
        if (place / "2750").exists():  # as torchvision has it: a folder that is there is whole
            return
        place.mkdir(parents=True, exist_ok=True)
        if not (place / "EuroSAT.zip").exists():
            shutil.copy(tmp_path / "EuroSAT.zip", place)
        shutil.unpack_archive(place / "EuroSAT.zip", place)

    monkeypatch.setattr(datasets, "EuroSAT", archive)
    return spec, tmp_path / "data", asked


def test_a_second_process_waits_for_a_download_and_uses_it(network, tmp_path, capsys):
    spec, root, asked = network
    with ThreadPoolExecutor(1) as other, decode.alone(download.staging(root, "EuroSAT")):
        late = other.submit(mtil.download, spec, root)
        with pytest.raises(TimeoutError):
            late.result(timeout=0.3)
        shutil.copytree(tmp_path / "published" / "eurosat", root / "eurosat")
    late.result(timeout=30)
    assert not asked and "waiting for it" in capsys.readouterr().out


def test_what_is_missing_is_downloaded_on_first_use(network, tmp_path, capsys):
    spec, root, asked = network
    with pytest.raises(DataError, match="Get EuroSAT"):
        mtil.task(spec, root, tmp_path / "cache", 32, sources={"EuroSAT": "files"}, progress=False).test  # noqa: B018
    assert not asked
    task = mtil.task(spec, root, tmp_path / "cache", 32, progress=False)
    assert (len(task.train), len(task.test), len(asked)) == (8, 2, 1)
    assert "Downloading EuroSAT: 0.09 GB, licence: MIT" in capsys.readouterr().out
    assert not list(root.rglob("*.zip")) and [p.name for p in (root / ".unfinished").iterdir()] == [".EuroSAT.lock"]
    mtil.download(spec, root)
    assert len(asked) == 1, "what is in place is left alone"


def test_a_download_goes_on_after_it_was_cut_off(network):
    spec, root, _ = network
    place = download.staging(root, "EuroSAT") / "eurosat"
    save(place / "2750" / "Forest" / "Forest_1.jpg", 1)  # extraction was stopped here
    (place / "EuroSAT.zip").write_bytes(b"PK half an archive")
    mtil.download(spec, root)
    assert len(mtil.records(spec, "train", root, "files")) == 8


def test_only_whole_archives_are_kept(tmp_path):
    shutil.copytree(Path(__file__).parents[1] / "benchmarks", tmp_path / "some" / "folder")
    for kind in ("zip", "gztar"):
        shutil.make_archive(str(tmp_path / "kept"), kind, tmp_path / "some")
        shutil.make_archive(str(tmp_path / "cut"), kind, tmp_path / "some")
    truncate(tmp_path / "cut.zip")
    truncate(tmp_path / "cut.tar.gz")
    download.keep_whole_archives(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["kept.tar.gz", "kept.zip"]


def test_downloads_need_room(network, monkeypatch):
    spec, root, asked = network
    monkeypatch.setattr(decode.shutil, "disk_usage", lambda _: types.SimpleNamespace(free=10**8))
    with pytest.raises(DataError, match=r"EuroSAT and its archives take 0\.2 GB.*GIFT_DATA"):
        mtil.download(spec, root)
    assert not asked


def test_download_goes_through_torchvision(monkeypatch, tmp_path):
    calls = []
    monkeypatch.setattr(datasets, "DTD", lambda **arguments: calls.append(arguments))
    mtil.download(mtil.dataset("DTD"), tmp_path)
    assert calls == [{"root": str(download.staging(tmp_path, "DTD")), "download": True, "split": "train"}]
    mtil.download(mtil.dataset("SUN397"), tmp_path)  # the mirror is read, not downloaded before

    def fail(**_):
        raise OSError("404")

    monkeypatch.setattr(datasets, "DTD", fail)
    with pytest.raises(DataError, match=r"could not be downloaded \(404\).*Get DTD"):
        mtil.download(mtil.dataset("DTD"), tmp_path)


def test_cifar_is_fetched_without_pickles(monkeypatch, tmp_path):
    def archive(url, root, md5):
        assert url.endswith("cifar-100-binary.tar.gz") and len(md5) == 32
        cifar100_binary(Path(root))

    monkeypatch.setattr(datasets.utils, "download_and_extract_archive", archive)
    spec = cifar100_binary(tmp_path / "elsewhere")
    mtil.download(spec, tmp_path / "data")
    assert len(mtil.records(spec, "train", tmp_path / "data")) == 6 and not mtil.absent(spec, tmp_path / "data")


def test_torchvision_has_the_classes_that_download():
    wanted = [d.torchvision[0] for d in mtil.DATASETS.values() if d.torchvision[0]]
    assert len(wanted) == 8 and all(hasattr(datasets, kind) for kind in wanted)


# --- tasks and the command line -----------------------------------------------------------------------------------


def test_task_reads_the_cache_and_needs_the_files_no_more(planes):
    spec, root = planes
    task = mtil.task(spec, root, root / "cache", size=32, sources={"Aircraft": "files"}, progress=False)
    assert task.train.images.batch(torch.tensor([2, 0])).shape == (2, 3, 32, 32)
    assert task.train.labels.tolist() == [0, 1, 0, 1]
    (root / "fgvc-aircraft-2013b").rename(root / "moved")
    again = mtil.task(spec, root, root / "cache", size=32, sources={"Aircraft": "files"}, progress=False)
    assert torch.equal(again.train.images.batch(torch.tensor([3])), task.train.images.batch(torch.tensor([3])))
    with pytest.raises(DataError, match="Get Aircraft"):
        again.test  # noqa: B018


def test_decoded_size_follows_the_model(planes, tmp_path):
    spec, root = planes
    sizes = {"ViT-B-16-quickgelu/openai": 224, "ViT-L-14-336-quickgelu/openai": 336, "no such model": mtil.SIZE}
    assert {name: mtil.input_size(name) for name in sizes} == sizes
    write_json(tmp_path / "own" / "open_clip_config.json", {"model_cfg": {"vision_cfg": {"image_size": [64, 48]}}})
    assert mtil.input_size(str(tmp_path / "own")) == 48
    task = mtil.task(spec, root, root / "cache", size=40, progress=False)
    assert task.train.images.batch(torch.tensor([0])).shape == (1, 3, 40, 40)


def test_load_tasks_decodes_for_the_experiments_model(planes, tmp_path, monkeypatch):
    spec, root = planes
    monkeypatch.setattr(mtil, "DATASETS", {"Aircraft": spec})
    write_json(tmp_path / "own" / "open_clip_config.json", {"model_cfg": {"vision_cfg": {"image_size": 36}}})
    e = experiment("colab", model=str(tmp_path / "own"), tasks=("Aircraft",), lr_per_task={})
    (task,) = data.load_tasks(e, root, tmp_path / "here")
    assert task.test.images.batch(torch.tensor([0])).shape == (1, 3, 36, 36)
    assert (tmp_path / "here" / "images" / "Aircraft" / "test-36").is_dir()


def test_the_cost_is_shown_before_decoding(planes, capsys, monkeypatch):
    spec, root = planes
    said = []
    honest = decode.build
    monkeypatch.setattr(decode, "build", lambda *a, **k: (said.append(capsys.readouterr().out), honest(*a, **k))[1])
    mtil.open_split(spec, "test", root, root / "cache", 32)
    assert said[0].startswith("Decoding Aircraft/test-32 once: 3 images, 0.00 GB on disk, about ")


def test_cache_of_another_number_is_an_error(planes):
    spec, root = planes
    mtil.open_split(spec, "test", root, root / "cache", 32, progress=False)
    other = dataclasses.replace(spec, test=5)
    (root / "fgvc-aircraft-2013b").rename(root / "moved")
    with pytest.raises(DataError, match="holds 3 images but Aircraft/test has 5"):
        mtil.open_split(other, "test", root, root / "cache", 32, progress=False)


@pytest.fixture
def two(tmp_path, monkeypatch):
    """A world of two small data sets, at the command line."""
    specs = {n: WRITERS[n](tmp_path / "data") for n in ("Aircraft", "EuroSAT")}
    monkeypatch.setattr(mtil, "DATASETS", specs)
    monkeypatch.setenv("GIFT_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("GIFT_CACHE", str(tmp_path / "cache"))
    return tmp_path


def test_prepare_verify_list_clear(two, capsys):
    assert main(["prepare", "--dry-run", "--size", "32"]) == 0
    out = capsys.readouterr().out
    assert "estimated from a sample" in out and "total: 17 images" in out and not (two / "cache").exists()
    assert main(["prepare", "--size", "32", "--no-download"]) == 0
    assert "2 of 2 data sets are ready" in capsys.readouterr().out
    assert main(["prepare", "--size", "32"]) == 0
    assert "Aircraft: ready" in capsys.readouterr().out
    assert main(["verify", "--size", "32"]) == 0
    assert "EuroSAT/test: whole" in capsys.readouterr().out
    assert main(["list", "--size", "32"]) == 0
    out = capsys.readouterr().out
    assert "non-commercial research only" in out and "decoded: train, test" in out and "cache Aircraft/train-32" in out
    assert main(["clear", "Aircraft"]) == 0 and not (two / "cache" / "images" / "Aircraft").exists()
    assert main(["clear", "--all"]) == 0 and not list((two / "cache" / "images").iterdir())


def test_pictures_of_another_folder_are_not_mistaken_for_these(two, monkeypatch, capsys):
    """Decoded from A; then GIFT_DATA is B, with others of the same names; then a copy of A, then nothing."""
    assert main(["prepare", "--size", "32", "--no-download"]) == 0
    shutil.copytree(two / "data", two / "other")
    save(two / "other" / "eurosat" / "2750" / "Forest" / "Forest_2.jpg", 77, (64, 64))
    monkeypatch.setenv("GIFT_DATA", str(two / "other"))
    tasks = mtil.tasks(size=32, progress=False)
    assert len(tasks["Aircraft"].train) == 4
    with pytest.raises(DataError, match=r"train-native was decoded from other pictures than .*other.*clear EuroSAT"):
        tasks["EuroSAT"].train  # noqa: B018
    assert main(["prepare", "--size", "32", "--no-download"]) == 1 and "other pictures" in capsys.readouterr().err
    monkeypatch.setenv("GIFT_DECODED", str(two / "elsewhere"))
    assert len(mtil.tasks(size=32, progress=False)["EuroSAT"].train) == 8, "the remedy that the message names"
    monkeypatch.delenv("GIFT_DECODED")
    shutil.copytree(two / "data", two / "copy")
    for place in ("copy", "nothing"):
        monkeypatch.setenv("GIFT_DATA", str(two / place))
        assert len(mtil.tasks(size=32, progress=False)["EuroSAT"].train) == 8


def test_pictures_of_another_mirror_are_not_mistaken_for_these(two):
    spec = mtil.dataset("EuroSAT")
    mtil.open_split(spec, "test", size=32, progress=False)
    with pytest.raises(DataError, match="decoded from other pictures than hf:a/b holds"):
        mtil.open_split(spec, "test", size=32, source="hf:a/b", progress=False)


def test_no_download_means_no_mirror_either(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(mtil, "DATASETS", {n: mtil.dataset(n) for n in ("DTD", "SUN397")})
    monkeypatch.setattr(readers, "hub", lambda *_: pytest.fail("asked the hub"))
    monkeypatch.setattr(mtil, "download", lambda *_: pytest.fail("asked the network"))
    monkeypatch.setattr(decode.shutil, "disk_usage", lambda _: types.SimpleNamespace(free=10**8))
    arguments = ["prepare", "--data", str(tmp_path / "data"), "--cache", str(tmp_path / "cache")]
    assert main([*arguments, "--no-download"]) == 1  # what will not come needs no room
    err = capsys.readouterr().err
    assert "Get DTD" in err and "Get SUN397" in err
    assert main(arguments) == 1
    assert re.search(r"has 0\.1 GB free but the decoded images take \d+\.\d GB", capsys.readouterr().err)


def test_prepare_goes_on_after_a_bad_data_set(two, capsys):
    truncate(two / "data" / "fgvc-aircraft-2013b" / "data" / "images" / "0000002.jpg")
    assert main(["prepare", "--size", "32"]) == 1
    captured = capsys.readouterr()
    assert "0000002.jpg cannot be decoded" in captured.err and "EuroSAT: ready" in captured.out


def test_verify_finds_a_flipped_byte_and_other_originals(two, capsys):
    assert main(["prepare", "--size", "32"]) == 0
    shard = two / "cache" / "images" / "EuroSAT" / "train-native" / "00000.bin"
    data = bytearray(shard.read_bytes())
    data[100] ^= 1
    shard.write_bytes(bytes(data))
    listing = two / "data" / "fgvc-aircraft-2013b" / "data" / "images_variant_test.txt"
    rows = listing.read_text().splitlines()
    listing.write_text("\n".join(rows[::-1]) + "\n")
    assert main(["verify", "--size", "32"]) == 1
    err = capsys.readouterr().err
    assert "00000.bin does not have its digest" in err and "decoded from other pictures" in err


def test_command_line_errors(two, capsys):
    assert main(["clear"]) == 1 and main(["prepare", "Boats"]) == 1 and main(["list", "--source", "x"]) == 0
    assert main(["prepare", "--dry-run", "--source", "x"]) == 1
    assert "there is no MTIL data set 'Boats'" in capsys.readouterr().err


# --- ZSCL's public data -------------------------------------------------------------------------------------------


def test_reference_images(tmp_path, monkeypatch):
    monkeypatch.setenv("GIFT_CACHE", str(tmp_path / "cache"))
    for i in range(5):
        (tmp_path / "reference" / "n01440764").mkdir(parents=True, exist_ok=True)
        picture(i).save(tmp_path / "reference" / "n01440764" / f"{i}.JPEG")
    images = reference.reference_images(3, 0, tmp_path, size=32)
    assert images.batch(torch.arange(3)).shape == (3, 3, 32, 32)
    with pytest.raises(DataError, match="has 5 images"):
        reference.reference_images(6, 0, tmp_path, size=32)


def test_reference_prompts_are_the_names_of_the_folders(tmp_path):
    for folder, count in (("king_penguin", 3), ("tabby", 2)):
        (tmp_path / "reference" / "any" / folder).mkdir(parents=True)
        for i in range(count):
            picture(i).save(tmp_path / "reference" / "any" / folder / f"{i}.png")
    prompts = ["a photo of a king penguin."] * 3 + ["a photo of a tabby."] * 2
    assert reference.reference_prompts(5, 0, tmp_path) == prompts
    images = reference.reference_images(3, 1, tmp_path, tmp_path / "cache", size=32, progress=False)
    assert len(images) == len(reference.reference_prompts(3, 1, tmp_path)) == 3
    picture(0).save(tmp_path / "reference" / "loose.png")
    with pytest.raises(DataError, match="pictures in no folder"):
        reference.reference_prompts(6, 0, tmp_path)


def test_reference_prompts_of_imagenet_are_the_names_of_c0(tmp_path, monkeypatch):
    folders = [f"n{k:08d}" for k in range(3)]
    for folder in folders:
        (tmp_path / "reference" / folder).mkdir(parents=True)
        picture(0).save(tmp_path / "reference" / folder / "0.png")
    with pytest.raises(DataError, match="3 of ImageNet's 1000 folders"):
        reference.reference_prompts(3, 0, tmp_path)
    monkeypatch.setattr(reference, "IMAGENET_CLASSNAMES", ["tench", "goldfish", "great white shark"])
    assert reference.reference_prompts(3, 0, tmp_path)[2] == "a photo of a great white shark."


def test_reference_captions(tmp_path):
    with pytest.raises(DataError, match="Put any list of captions there"):
        reference.reference_captions(2, 0, tmp_path)
    (tmp_path / "captions.txt").write_text("a cat\thttp://x\na dog\n\na bird\n")
    assert sorted(reference.reference_captions(9, 0, tmp_path)) == ["a bird", "a cat", "a dog"]
    assert reference.reference_captions(2, 1, tmp_path) == reference.reference_captions(2, 1, tmp_path)
