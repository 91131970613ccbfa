"""The cache of decoded images: equal to the published transforms, whole or absent, resumed, verified."""

import dataclasses
import math
import os
import signal
import time
import warnings

import numpy as np
import pytest
import torch
from layouts import picture, save
from PIL import Image
from torchvision.transforms import CenterCrop, Compose, InterpolationMode, Resize

from gift_lib.data import cache
from gift_lib.data.cache import CachedImages, Cost, Stored, build, decoded, estimate, train_view
from gift_lib.data.records import Arrays, Records, from_files
from gift_lib.data.transforms import RATIO, SCALE, Preprocess
from gift_lib.errors import DataError
from gift_lib.methods.stores import Concatenated
from gift_lib.tasks import TensorImages

SHAPES = ((90, 60), (60, 90), (64, 64), (300, 50), (50, 301), (61, 40), (33, 35), (500, 333))
SIZE = 48


@pytest.fixture
def records(tmp_path):
    for i, size in enumerate(SHAPES):
        save(tmp_path / "raw" / f"{i}.png", i, size)
    return from_files(tmp_path / "raw", ((f"{i}.png", i % 3) for i in range(len(SHAPES))))


@pytest.fixture
def small_shards(monkeypatch):
    monkeypatch.setattr(cache, "SHARD", 3)


@pytest.fixture
def store(records, tmp_path, small_shards):
    build(records, tmp_path / "cache" / "set" / "train", SIZE, progress=False)
    return Stored(tmp_path / "cache" / "set" / "train")


# --- the views ----------------------------------------------------------------------------------------------------


def test_eval_view_is_the_published_transform_to_the_bit(store, records):
    published = Compose([Resize(SIZE, InterpolationMode.BICUBIC), CenterCrop(SIZE)])
    expected = torch.stack(
        [torch.from_numpy(np.array(published(records.pictures.open(i)))).permute(2, 0, 1) for i in range(len(records))]
    )
    split = store.open()
    assert torch.equal(split.images.batch(torch.arange(len(records))), expected)
    assert torch.equal(split.images.batch(torch.tensor([5, 0, 5])), expected[[5, 0, 5]])
    assert split.labels.tolist() == list(records.labels)


@pytest.mark.parametrize("size", [(300, 48), (48, 301), (79, 48), (77, 48), (500, 48), (48, 95)])
def test_ends_that_are_left_out_are_out_of_reach(size, tmp_path):
    """Crops of the whole picture never touch what the cache cuts off, and the eval crop is the same."""
    image = picture(1, size)
    cut = cache.without_ends(image)
    longest, shortest = max(cut.size), min(cut.size)
    assert shortest == 48 and longest <= math.ceil(1.6 * 48) + 4
    crop = CenterCrop(48)
    assert crop(image).tobytes() == crop(cut).tobytes()
    preprocess = Preprocess(32)
    for seed in range(5):
        whole, short = (
            train_view(_one(i, tmp_path), torch.tensor([0]), preprocess, torch.Generator().manual_seed(seed))
            for i in (image, cut)
        )
        assert torch.allclose(whole, short, atol=1e-5)


def _one(image: Image.Image, tmp_path) -> CachedImages:
    """A store of one picture as it is."""
    folder = tmp_path / f"{image.width}x{image.height}"
    pixels = np.asarray(image)
    folder.mkdir(exist_ok=True)
    (folder / "00000.bin").write_bytes(pixels.tobytes())
    return CachedImages(folder, torch.tensor([pixels.shape[:2]]), min(image.size), native=False)


def test_no_crop_fits_where_ends_are_cut():
    """The bound 1.6: even the smallest area with the widest ratio is higher than the picture."""
    for short in range(13, 400):
        area = SCALE[0] * short * math.ceil(cache.LONGEST * short)
        assert round(math.sqrt(area / RATIO[1])) > short


def test_train_view_is_the_crop_of_the_stored_picture(store):
    """Against cropping and resizing one picture after the other with torchvision, from the same boxes."""
    from torchvision.transforms.functional import resized_crop

    from gift_lib.data.transforms import crops

    images, preprocess = store.open().images, Preprocess(SIZE, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    index = torch.tensor([0, 3, 7, 4, 0])
    ours = train_view(images, index, preprocess, torch.Generator().manual_seed(3))
    generator = torch.Generator().manual_seed(3)
    for row, i in zip(ours, index, strict=True):
        pixels, shape = images.whole(i[None])
        box = [int(v) for v in crops(1, *shape[0].tolist(), generator)]
        expected = resized_crop(pixels.float(), *box, [SIZE, SIZE], InterpolationMode.BICUBIC, antialias=True)
        assert (row * 255 - expected[0].clamp(0, 255)).abs().max() < 1e-2


def test_train_view_stays_near_the_crop_of_the_original(tmp_path):
    """Resizing first costs little: the crop from the cache against the same share of the original picture."""
    image = picture(5, (600, 450))
    small = Image.fromarray(decoded(image, 224, native=False))
    views = [
        train_view(_one(i, tmp_path), torch.tensor([0]), Preprocess(224, (0.0,) * 3, (1.0,) * 3), _generator())
        for i in (image, small)
    ]
    assert (views[0] - views[1]).abs().mean() * 255 < 1.0


def _generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_train_view_of_other_stores_is_preprocess_train():
    pixels = torch.randint(0, 256, (4, 3, 40, 40), dtype=torch.uint8)
    index = torch.tensor([1, 3])
    ours = train_view(TensorImages(pixels), index, Preprocess(32), _generator())
    assert torch.equal(ours, Preprocess(32).train(pixels[index], _generator()))


def test_small_pictures_keep_their_size(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (5, 28, 28), dtype=np.uint8)
    build(Records(Arrays("digits", pixels), [0, 1, 0, 1, 0]), tmp_path / "c", 224, native=True, progress=False)
    images = Stored(tmp_path / "c").open().images
    batch = images.batch(torch.tensor([4, 1]))
    assert batch.shape == (2, 3, 28, 28) and np.array_equal(batch[0, 2].numpy(), pixels[4])
    same = TensorImages(images.batch(torch.arange(5)))
    index = torch.tensor([0, 4, 2])
    a, b = (train_view(s, index, Preprocess(32), _generator()) for s in (images, same))
    assert torch.equal(a, b)


def test_several_stores_as_one_are_cropped_as_each_alone(store, tmp_path):
    """Joint training: whole pictures, not their centre squares, whatever the sizes of the parts."""
    pixels = np.random.default_rng(0).integers(0, 256, (5, 28, 28), dtype=np.uint8)
    build(Records(Arrays("digits", pixels), [0, 1, 0, 1, 0]), tmp_path / "d" / "x", 224, native=True, progress=False)
    large, small = store.open().images, Stored(tmp_path / "d" / "x").open().images
    memory = TensorImages(torch.randint(0, 256, (3, 3, 20, 30), dtype=torch.uint8))
    both, where = Concatenated((large, small, memory), Preprocess(SIZE)), torch.tensor([9, 3, 14, 0, 8, 15, 3])
    ours, generator = train_view(both, where, Preprocess(SIZE), _generator()), _generator()
    for row, i in zip(ours, where.tolist(), strict=True):
        part, k = (large, i) if i < 8 else (small, i - 8) if i < 13 else (memory, i - 13)
        alone = train_view(part, torch.tensor([k]), Preprocess(SIZE), generator)[0]
        torch.testing.assert_close(row, alone, rtol=1e-4, atol=1e-4)
    assert torch.equal(both.batch(where[:1]), Preprocess(SIZE).square(small.batch(torch.tensor([1]))))


def test_whole_pads_with_zeros(store):
    pixels, shapes = store.open().images.whole(torch.tensor([0, 1]))
    assert pixels.shape == (2, 3, 72, 72) and shapes.tolist() == [[48, 72], [72, 48]]
    assert not pixels[0, :, 48:].any() and not pixels[1, :, :, 48:].any()


# --- whole or absent ----------------------------------------------------------------------------------------------


def contents(folder) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir()}


def test_nothing_but_shards_index_and_manifest_is_left(store):
    assert sorted(contents(store.folder)) == [
        "00000.bin",
        "00001.bin",
        "00002.bin",
        "index.safetensors",
        "manifest.json",
    ]


def test_number_of_threads_changes_nothing(store, records, tmp_path):
    build(records, tmp_path / "other", SIZE, workers=1, progress=False)
    assert contents(tmp_path / "other") == contents(store.folder)


def test_goes_on_after_a_picture_that_cannot_be_decoded(store, records, tmp_path, monkeypatch):
    broken = tmp_path / "raw" / "7.png"
    whole = broken.read_bytes()
    broken.write_bytes(whole[:100])
    with pytest.raises(DataError, match=r"7\.png cannot be decoded"):
        build(records, tmp_path / "other", SIZE, progress=False)
    assert cache.stored(tmp_path / "other") is None
    broken.write_bytes(whole)
    opened = []
    inner = cache._decoder
    monkeypatch.setattr(cache, "_decoder", lambda *a: lambda i: opened.append(i) or inner(*a)(i))
    build(records, tmp_path / "other", SIZE, progress=False)
    assert sorted(opened) == [6, 7]
    assert contents(tmp_path / "other") == contents(store.folder)


def test_other_size_or_pictures_start_afresh(store, records, tmp_path):
    folder = tmp_path / "other"
    folder.mkdir()
    (folder / "plan.json").write_text("{}")
    (folder / "00000.bin").write_bytes(b"of something else")
    build(records, folder, SIZE, progress=False)
    assert contents(folder) == contents(store.folder)
    build(records.subset([0, 1]), folder, SIZE, progress=False)
    assert len(Stored(folder).open()) == 2


def test_killed_and_resumed_gives_the_same_bytes(tmp_path, small_shards):
    for i in range(24):
        save(tmp_path / "raw" / f"{i:02d}.jpg", i, (90, 60))
    records = from_files(tmp_path / "raw", ((f"{i:02d}.jpg", 0) for i in range(24)))
    build(records, tmp_path / "whole", SIZE, progress=False)
    child = _forked(lambda: build(records, tmp_path / "cache", SIZE, workers=1, progress=False))
    deadline = time.monotonic() + 60
    while not (tmp_path / "cache" / "00003.json").exists() and time.monotonic() < deadline:
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    assert cache.stored(tmp_path / "cache") is None
    build(records, tmp_path / "cache", SIZE, progress=False)
    assert contents(tmp_path / "cache") == contents(tmp_path / "whole")


def _forked(work) -> int:
    """The process id of a child that decodes slowly and never returns here."""
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", DeprecationWarning
        )  # newer Pythons warn of threads; the child uses none of them
        child = os.fork()
    if child == 0:
        inner = cache.decoded
        cache.decoded = lambda *a: time.sleep(0.01) or inner(*a)
        try:
            work()
        finally:
            os._exit(0)
    return child


def test_open_finds_what_is_missing_or_cut_short(store):
    shard = store.folder / "00001.bin"
    data = shard.read_bytes()
    shard.write_bytes(data[:-1])
    with pytest.raises(DataError, match=r"00001\.bin is missing or cut short.*clear set"):
        Stored(store.folder).open()
    shard.write_bytes(data)
    index = store.folder / "index.safetensors"
    index.write_bytes(index.read_bytes()[::-1])
    with pytest.raises(DataError, match="does not have its digest"):
        Stored(store.folder).open()
    index.unlink()
    with pytest.raises(DataError, match="is missing"):
        Stored(store.folder).open()


def test_verify_finds_swapped_shards_of_one_length(tmp_path, small_shards):
    pixels = np.random.default_rng(0).integers(0, 256, (6, 8, 8), dtype=np.uint8)
    build(Records(Arrays("a", pixels), [0] * 6), tmp_path / "c", 8, native=True, progress=False)
    stored = Stored(tmp_path / "c")
    stored.verify()
    a, b = tmp_path / "c" / "00000.bin", tmp_path / "c" / "00001.bin"
    x, y = a.read_bytes(), b.read_bytes()
    a.write_bytes(y)
    b.write_bytes(x)
    with pytest.raises(DataError, match=r"00000\.bin does not have its digest"):
        stored.verify()


def test_another_version_is_refused(store, monkeypatch):
    monkeypatch.setattr(cache, "CACHE_VERSION", cache.CACHE_VERSION + 1)
    with pytest.raises(DataError, match="another version"):
        Stored(store.folder).open()


def test_full_disk(records, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DataError, match="No space left on device"):
        build(records, tmp_path / "c", SIZE, progress=False)
    assert not list((tmp_path / "c").glob("*.bin"))


# --- cost and housekeeping ----------------------------------------------------------------------------------------


def test_estimate_matches_what_is_written(store, records):
    cost = estimate(records, SIZE)
    written = sum(p.stat().st_size for p in store.folder.glob("*.bin"))
    assert cost.images == len(records) and cost.bytes == written and cost.seconds > 0


def test_cost_reads_and_adds():
    total = Cost(10, 2_000_000_000, 30.0) + Cost(5, 500_000_000, 90.0)
    assert str(total) == "15 images, 2.50 GB on disk, about 2 min"
    assert [cache.duration(s) for s in (5, 600, 7200)] == ["5 s", "10 min", "2.0 h"]


def test_too_little_space_is_said_before_anything_is_written(tmp_path):
    with pytest.raises(DataError, match="GIFT_CACHE"):
        cache.require_space(tmp_path, 10**18)


def test_listing_and_clear(store, tmp_path):
    root = tmp_path / "cache"
    (root / "images").mkdir()
    (root / "set").rename(root / "images" / "set")
    (root / "images" / "half" / "train").mkdir(parents=True)
    (root / "images" / "half" / "train" / "00000.bin").write_bytes(b"1234")
    found = list(cache.listing(root))
    assert [(n, s, f) for n, s, _, f in found] == [("half", "train", False), ("set", "train", True)]
    assert found[0][2] == 4
    assert cache.clear("set", root) == found[1][2] and cache.clear("..", root) == 0
    assert [n for n, *_ in cache.listing(root)] == ["half"]


def test_manifest_names_what_was_decoded(store, records):
    assert store.manifest["records"] == records.digest
    assert dataclasses.replace(records, labels=[0] * len(records)).digest != records.digest
